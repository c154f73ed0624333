//! The look at one weight of a rollout.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::InvalidValue;

/// How much of the traffic the canary should get while it is looked at: 1 to 100 percent. Below 100 the rest goes to the
/// baseline; at 100 there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Gate(u8);

impl Gate {
    /// All traffic goes to the canary.
    pub const ALONE: Self = Self(100);

    /// The canary gets that many percent.
    ///
    /// # Errors
    /// [`InvalidValue`] for 0 and above 100: without traffic there is nothing to look at.
    pub fn at(percent: u8) -> Result<Self, InvalidValue> {
        if (1..=100).contains(&percent) {
            Ok(Self(percent))
        } else {
            let allowed = "1 to 100 percent";
            Err(InvalidValue::new("canary weight", &percent.to_string(), allowed))
        }
    }

    /// Returns the canary's percentage.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.0
    }

    /// Returns whether there is a baseline to compare with.
    #[must_use]
    pub const fn has_baseline(self) -> bool {
        self.0 < 100
    }
}

impl TryFrom<u8> for Gate {
    type Error = InvalidValue;

    fn try_from(percent: u8) -> Result<Self, InvalidValue> {
        Self::at(percent)
    }
}

impl From<Gate> for u8 {
    fn from(gate: Gate) -> Self {
        gate.0
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}
