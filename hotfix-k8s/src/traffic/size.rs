//! How many pods a slot asks for and how many it would with all the traffic: its replicas, and an annotation that is
//! only there while the two may differ.

use json_patch::PatchOperation;
use serde_json::Value;

use crate::change::{set, set_at};
use crate::names::{self, annotation};

/// The size of a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// The pods that its Deployment asks for.
    pub(crate) asked: u32,
    /// The pods that it would ask for with all the traffic, where that was noted. The number that somebody else put
    /// there meanwhile is what its owner wants, so then the note does not hold.
    pub(crate) of: Option<u32>,
}

impl Size {
    /// Reads the size of a Deployment.
    pub(crate) fn read(deployment: &Value) -> Self {
        let replicas = deployment.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        let asked = u32::try_from(replicas).unwrap_or(u32::MAX);
        let note = deployment["metadata"]["annotations"][names::REPLICAS].as_str();
        let parts = note.and_then(|note| note.split_once('/'));
        let of = parts.filter(|(noted, _)| noted.parse() == Ok(asked)).and_then(|(_, of)| of.parse().ok());
        Self { asked, of }
    }

    /// The pods that the slot would ask for with all the traffic.
    pub(crate) fn wanted(self) -> u32 {
        self.of.unwrap_or(self.asked)
    }

    /// Returns what gives a Deployment this size; nothing when it has it.
    pub(crate) fn write(self, deployment: &Value) -> Vec<PatchOperation> {
        let note = self.of.map(|of| format!("{}/{of}", self.asked).into());
        let mut patch = set(deployment, ["spec", "replicas"], Some(self.asked.into()));
        patch.extend(set_at(deployment, annotation(names::REPLICAS), note));
        patch
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_note_holds_until_somebody_else_sets_the_replicas() {
        let deployment = |replicas: u32, note: Option<&str>| json!({"metadata": {"annotations": {names::REPLICAS: note}}, "spec": {"replicas": replicas}});
        let cases = [
            (deployment(3, None), 3, None, 3),
            (deployment(2, Some("2/3")), 2, Some(3), 3),
            (deployment(6, Some("2/3")), 6, None, 6),
            (deployment(3, Some("3/3")), 3, Some(3), 3),
            (deployment(2, Some("all")), 2, None, 2),
        ];
        for (deployment, asked, of, wanted) in cases {
            let size = Size::read(&deployment);
            assert_eq!((size, size.wanted()), (Size { asked, of }, wanted), "{deployment}");
            if size.of.is_some() {
                assert_eq!(size.write(&deployment), []);
            }
        }
        assert_eq!(Size::read(&json!({"spec": {}})), Size { asked: 1, of: None });
    }
}
