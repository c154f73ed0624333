//! Time and ids enter here and nowhere else.

use std::fmt::Debug;

use crate::model::Timestamp;

/// Tells the time. It may jump in either direction: deadlines are compared with it, safety never rests on it.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Clock: Debug + Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// Makes ids that were never made before, anywhere.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait IdSource: Debug + Send + Sync {
    /// Returns a fresh id with the prefix, such as `run-…`: letters, digits and dashes, at most 64 characters.
    fn fresh(&self, prefix: &str) -> String;
}
