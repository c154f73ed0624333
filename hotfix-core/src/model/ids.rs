//! Identifiers as newtypes: each is parsed once, at the boundary, and is valid from then on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ImageReference, InvalidValue, ObjectId};

/// Declares a string newtype whose only constructor validates. Shared, because a plan names the same few things often.
macro_rules! id_type {
    ($(#[$meta:meta])* $name:ident, $what:literal, $allowed:literal, $valid:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Parses the text.
            ///
            /// # Errors
            /// [`InvalidValue`] naming the text and what is allowed.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidValue> {
                let text = text.as_ref();
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidValue::new($what, text, $allowed))
                }
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;
            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;
            fn try_from(text: String) -> Result<Self, InvalidValue> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                (*id.0).to_owned()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

pub(crate) use id_type;

const NAME_MAX: usize = 63;

/// A lower-case name as Kubernetes takes it (RFC 1123 label): letters, digits and inner dashes.
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.len() <= NAME_MAX
        && bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
        && bytes.iter().all(|b| edge(b) || *b == b'-')
}

/// Printable text without blanks or characters that mean something to shells, URLs or chat services.
fn is_token(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(is_token_byte)
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'@')
}

id_type!(
    /// One execution of a plan. Unique for ever; printed to operators, so short and without blanks.
    RunId, "run id", "1 to 128 letters, digits and any of - _ . : @", is_token
);
id_type!(
    /// One incident.
    IncidentId, "incident id", "1 to 128 letters, digits and any of - _ . : @", is_token
);
id_type!(
    /// The key of the issue that a hotfix resolves, as the tracker prints it (`PROD-2847`).
    IssueKey, "issue key", "1 to 128 letters, digits and any of - _ . : @", is_token
);
id_type!(
    /// A process that drives runs. Shown to whoever is refused because of it.
    WorkerName, "worker name", "1 to 128 letters, digits and any of - _ . : @", is_token
);
id_type!(
    /// A deployable service.
    ServiceName, "service name", "up to 63 lower-case letters, digits and inner dashes", is_label
);
id_type!(
    /// An environment such as `staging` or `production`.
    EnvironmentName, "environment name", "up to 63 lower-case letters, digits and inner dashes", is_label
);
id_type!(
    /// One side of a workload, such as `blue` or `green`: holds at most one release at a time.
    SlotName, "slot name", "up to 63 lower-case letters, digits and inner dashes", is_label
);
id_type!(
    /// Names exactly the bytes that run: `tree:<object id>` or `image:<digest>`.
    ArtifactId, "artifact id", "1 to 128 letters, digits and any of - _ . : @", is_token
);
id_type!(
    /// Names one intended effect for ever. Derived from the run and the step of its immutable plan, never
    /// from the attempt: a retry carries the same key and a re-plan another.
    IdempotencyKey, "idempotency key", "1 to 160 letters, digits and any of - _ . : @", |text| {
        text.len() <= 160 && text.bytes().all(is_token_byte) && !text.is_empty()
    }
);

impl IdempotencyKey {
    /// Names the effect of a step of a run.
    #[must_use]
    pub fn of(run: &RunId, step: u16) -> Self {
        Self(format!("{run}:{step}").into())
    }
}

impl ArtifactId {
    pub(super) fn of_tree(tree: &ObjectId) -> Self {
        Self(format!("tree:{tree}").into())
    }

    pub(super) fn of_image(image: &ImageReference) -> Self {
        Self(format!("image:{}", image.digest()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_reach_dns_and_shells_are_refused_with_what_is_allowed() {
        let error = ServiceName::new("Shop API").unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid service name \"Shop API\": allowed are up to 63 lower-case letters, digits and inner dashes"
        );
        for bad in ["", "-a", "a-", "a_b", &"a".repeat(64)] {
            assert!(ServiceName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "shop-api", "0", &"a".repeat(63)] {
            assert_eq!(ServiceName::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn an_invalid_id_cannot_come_in_through_serde() {
        let error = serde_json::from_str::<RunId>("\"a b\"").unwrap_err();
        assert!(error.to_string().starts_with("invalid run id \"a b\""), "{error}");
    }
}
