//! The header by which testers reach a release that was staged, before customers do.

use hotfix_core::model::InvalidValue;
use serde::{Deserialize, Serialize};

/// The header by which testers are known. While a release is staged and has a pod that is ready, a request with it
/// goes to the staged slot, whatever the weights say; every other request is treated as before.
///
/// It is no secret: whoever may read the route can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Testers {
    header: String,
    value: String,
}

impl Testers {
    /// Names the header, in lower case as Istio wants it, and the value it must have.
    ///
    /// # Errors
    /// A header that is empty or has other characters than lower-case letters, digits and dashes; an empty value.
    pub fn new(header: &str, value: &str) -> Result<Self, InvalidValue> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if header.is_empty() || !header.chars().all(allowed) {
            return Err(InvalidValue::new("header", header, "lower-case letters, digits and '-'"));
        }
        if value.is_empty() {
            return Err(InvalidValue::new("header value", value, "a text that testers send"));
        }
        Ok(Self { header: header.to_owned(), value: value.to_owned() })
    }

    /// Returns the header, in lower case.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Returns the value that the header must have.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    header: String,
    value: String,
}

impl TryFrom<Written> for Testers {
    type Error = InvalidValue;

    fn try_from(Written { header, value }: Written) -> Result<Self, Self::Error> {
        Self::new(&header, &value)
    }
}

impl From<Testers> for Written {
    fn from(Testers { header, value }: Testers) -> Self {
        Self { header, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_cannot_be_asked_for_is_no_testers() {
        for (header, value) in [("X-Hotfix", "1"), ("", "1"), ("x hotfix", "1"), ("x-hotfix", "")] {
            assert!(Testers::new(header, value).is_err(), "{header:?}: {value:?}");
        }
        let text = r#"{"header":"x-hotfix","value":"try"}"#;
        let read: Testers = serde_json::from_str(text).unwrap();
        assert_eq!(read, Testers::new("x-hotfix", "try").unwrap());
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert!(serde_json::from_str::<Testers>(r#"{"header":"X-Hotfix","value":"try"}"#).is_err());
    }
}
