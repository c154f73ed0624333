//! How the deployer and its targets are set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use hotfix_core::model::{InvalidValue, SlotName};
use serde::{Deserialize, Serialize};

/// Where the deployer finds the state of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConfig {
    /// The state directory, the same as the agent's.
    pub state: PathBuf,
}

/// How a target is served. Fixed when the target is added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetOptions {
    /// Where its proxy listens. With port 0 the system chooses one, which the target then keeps.
    pub listen: SocketAddr,
    /// Its slots.
    pub slots: Slots,
}

/// The names of a target's slots: at least two, so that one can take a release while the other serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<SlotName>", into = "Vec<SlotName>")]
pub struct Slots(Vec<SlotName>);

impl Slots {
    /// Takes the names.
    ///
    /// # Errors
    /// [`InvalidValue`] when there are fewer than two, or two that are the same.
    pub fn new(names: Vec<SlotName>) -> Result<Self, InvalidValue> {
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        if sorted.len() == names.len() && names.len() >= 2 {
            return Ok(Self(names));
        }
        let given: Vec<&str> = names.iter().map(SlotName::as_str).collect();
        Err(InvalidValue::new("slots", &given.join(", "), "two or more different names"))
    }

    pub(crate) fn into_names(self) -> Vec<SlotName> {
        self.0
    }
}

impl Default for Slots {
    /// `blue` and `green`.
    fn default() -> Self {
        let names = ["blue", "green"].into_iter().filter_map(|name| SlotName::new(name).ok());
        Self(names.collect())
    }
}

impl Default for TargetOptions {
    /// A port of this host's choice on loopback, and the slots `blue` and `green`.
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), slots: Slots::default() }
    }
}

impl TryFrom<Vec<SlotName>> for Slots {
    type Error = InvalidValue;

    fn try_from(names: Vec<SlotName>) -> Result<Self, InvalidValue> {
        Self::new(names)
    }
}

impl From<Slots> for Vec<SlotName> {
    fn from(slots: Slots) -> Self {
        slots.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slot_is_not_enough_and_two_are_different() {
        let slot = |name: &str| SlotName::new(name).expect("a slot");
        assert_eq!(Slots::default().into_names(), [slot("blue"), slot("green")]);
        assert_eq!(
            Slots::new(vec![slot("blue"), slot("blue")]).expect_err("the same twice").to_string(),
            "invalid slots \"blue, blue\": allowed are two or more different names"
        );
        assert!(Slots::new(vec![slot("blue")]).is_err());
    }
}
