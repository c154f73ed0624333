//! Names that become folders: each is checked to be one harmless path component before it is used.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::LocalError;

/// A name that is safe as one path component: 1–128 of `a-z A-Z 0-9 . _ -`, beginning with a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Name(String);

impl Name {
    /// Checks `text`; `what` names the thing in the error.
    pub(crate) fn parse(what: &'static str, text: &str) -> Result<Self, LocalError> {
        let first_is_plain = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let all_are_allowed =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if first_is_plain && all_are_allowed && text.len() <= 128 {
            Ok(Self(text.to_owned()))
        } else {
            Err(LocalError::Name { what, value: text.to_owned() })
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = LocalError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse("name", &text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// A workload on this host: one service in one environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct TargetName {
    pub(crate) environment: Name,
    pub(crate) service: Name,
}

impl TargetName {
    pub(crate) fn parse(environment: &str, service: &str) -> Result<Self, LocalError> {
        Ok(Self {
            environment: Name::parse("environment", environment)?,
            service: Name::parse("service", service)?,
        })
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.environment, self.service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_folder() {
        for bad in ["", ".", "..", ".git", "-x", "a/b", "a\\b", "a\0b", "ä", &"x".repeat(129)] {
            let refused = Name::parse("slot", bad).expect_err(bad);
            assert_eq!(refused.to_string().contains("slot"), true, "{refused}");
        }
        for good in ["blue", "v2.1.1-rc.1", "0f3a", "A_b", &"x".repeat(128)] {
            assert_eq!(Name::parse("slot", good).expect(good).as_str(), good);
        }
    }

    #[test]
    fn a_stored_name_is_checked_when_read() {
        assert!(serde_json::from_str::<Name>("\"../etc\"").is_err());
        assert_eq!(serde_json::from_str::<Name>("\"blue\"").expect("valid").as_str(), "blue");
    }
}
