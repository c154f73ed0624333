//! Why settings are not a policy: every fault with its field, its value and what is allowed.

use std::fmt;

use crate::model::{InvalidValue, Period};

/// One setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}; allowed are {allowed}")]
pub struct PolicyFault {
    /// The setting, as a path such as `rollout.canary_steps`.
    pub field: Box<str>,
    /// What it is.
    pub value: Box<str>,
    /// What it may be.
    pub allowed: Box<str>,
}

/// Settings that are not a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPolicy {
    /// Everything that is wrong, in the order of the settings. Never empty.
    pub faults: Vec<PolicyFault>,
}

impl fmt::Display for InvalidPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid policy: ")?;
        for (index, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidPolicy {}

/// The faults found so far.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<PolicyFault>);

impl Faults {
    pub(super) fn add(&mut self, field: &str, value: impl ToString, allowed: &str) {
        self.0.push(PolicyFault {
            field: field.into(),
            value: value.to_string().into(),
            allowed: allowed.into(),
        });
    }

    /// Adds what a part found wrong with itself.
    pub(super) fn add_invalid(&mut self, part: &str, invalid: &InvalidValue) {
        self.add(&format!("{part}.{}", invalid.what()), invalid.value(), invalid.allowed());
    }

    pub(super) fn not_zero(&mut self, field: &str, period: Period) {
        if period.as_millis() == 0 {
            self.add(field, period, "periods above 0s");
        }
    }

    pub(super) fn into_result(self) -> Result<(), InvalidPolicy> {
        if self.0.is_empty() { Ok(()) } else { Err(InvalidPolicy { faults: self.0 }) }
    }
}
