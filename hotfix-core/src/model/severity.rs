//! How bad it is: the one scale that selects targets, approvals, cadence and pace.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidValue;

/// The severity of an incident and of its hotfix. `P0` is the worst and sorts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Severity {
    /// All or most users down, data loss, security (SEV1).
    P0,
    /// Many users degraded (SEV2).
    P1,
    /// Few users, or a workaround exists (SEV3).
    P2,
    /// Cosmetic or internal (SEV4).
    P3,
}

impl Severity {
    /// All severities, worst first.
    pub const ALL: [Self; 4] = [Self::P0, Self::P1, Self::P2, Self::P3];

    /// Returns the `P` name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P0 => "P0",
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text.to_ascii_lowercase().as_str() {
            "p0" | "sev1" | "critical" => Ok(Self::P0),
            "p1" | "sev2" | "high" => Ok(Self::P1),
            "p2" | "sev3" | "medium" => Ok(Self::P2),
            "p3" | "sev4" | "low" => Ok(Self::P3),
            _ => Err(InvalidValue::new(
                "severity",
                text,
                "P0, P1, P2, P3, SEV1 to SEV4, critical, high, medium, low",
            )),
        }
    }
}

impl TryFrom<String> for Severity {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Severity> for String {
    fn from(severity: Severity) -> Self {
        severity.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sev_and_p_are_one_scale() {
        for (a, b) in [("P0", "SEV1"), ("p1", "sev2"), ("P2", "medium"), ("low", "Sev4")] {
            assert_eq!(a.parse::<Severity>().unwrap(), b.parse::<Severity>().unwrap());
        }
        assert_eq!(
            "P4".parse::<Severity>().unwrap_err().to_string(),
            "invalid severity \"P4\": allowed are P0, P1, P2, P3, SEV1 to SEV4, critical, high, medium, low"
        );
    }
}
