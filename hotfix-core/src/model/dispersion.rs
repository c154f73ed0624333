//! How bursty errors are: the one number that is measured before a rollout and frozen for it.

use serde::{Deserialize, Serialize};

use super::InvalidValue;

/// The variance of the errors per scrape over their mean: 1 when errors come one by one, 5 when each failure shows as
/// five errors. Evidence from counts is divided by it. At least 1, and finite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Dispersion(f64);

impl Dispersion {
    /// Errors come one by one.
    pub const NONE: Self = Self(1.0);

    /// Takes a measured dispersion.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is below 1 or not finite.
    pub fn new(phi: f64) -> Result<Self, InvalidValue> {
        if phi.is_finite() && phi >= 1.0 {
            Ok(Self(phi))
        } else {
            Err(InvalidValue::new("dispersion", &phi.to_string(), "finite numbers from 1 on"))
        }
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Default for Dispersion {
    fn default() -> Self {
        Self::NONE
    }
}

impl TryFrom<f64> for Dispersion {
    type Error = InvalidValue;

    fn try_from(phi: f64) -> Result<Self, InvalidValue> {
        Self::new(phi)
    }
}

impl From<Dispersion> for f64 {
    fn from(dispersion: Dispersion) -> Self {
        dispersion.0
    }
}
