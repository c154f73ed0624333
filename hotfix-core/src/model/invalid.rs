//! The one error of every parser of plain data.

/// A value that cannot exist: names the value and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {value:?}: allowed are {allowed}")]
pub struct InvalidValue {
    what: &'static str,
    value: Box<str>,
    allowed: Box<str>,
}

impl InvalidValue {
    /// Builds the error. The value is cut to 200 characters, so that a hostile input cannot flood a log.
    #[must_use]
    pub fn new(what: &'static str, value: &str, allowed: impl Into<Box<str>>) -> Self {
        let value: String = value.chars().take(200).collect();
        Self { what, value: value.into(), allowed: allowed.into() }
    }

    /// What was found, cut to 200 characters.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is allowed.
    #[must_use]
    pub fn allowed(&self) -> &str {
        &self.allowed
    }

    /// What kind of value was expected.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }
}
