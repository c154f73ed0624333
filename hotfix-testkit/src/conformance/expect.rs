//! How a case says what it expects.

use std::fmt::Debug;

use hotfix_core::port::{Conflict, Rejection, Reply, Seal, Sealed};
use hotfix_core::{Error, ErrorKind};

use super::report::{Outcome, Unmet};

/// Ends a case as broken.
pub(super) fn broken(finding: impl Into<String>) -> Unmet {
    Unmet::Broken { finding: finding.into() }
}

/// Goes on only if the backend offers what the rest of the case is about.
pub(super) const fn offered(is_offered: bool, what: &'static str) -> Outcome {
    if is_offered { Ok(()) } else { Err(Unmet::NotOffered { what }) }
}

/// Expects that a statement holds.
pub(super) fn holds(statement: bool, what: &str) -> Outcome {
    if statement { Ok(()) } else { Err(broken(format!("it does not hold that {what}"))) }
}

/// Expects two values to be equal.
pub(super) fn equal<T: Debug + PartialEq>(what: &str, found: &T, expected: &T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(broken(format!("{what}: expected {expected:?}, found {found:?}")))
}

/// Expects a read or a store's write to succeed.
pub(super) fn succeeds<T>(what: &str, result: Result<T, Error>) -> Result<T, Unmet> {
    result.map_err(|error| broken(format!("{what} failed: {error}")))
}

/// Expects an error of a kind.
pub(super) fn fails<T: Debug>(what: &str, result: Result<T, Error>, kind: ErrorKind) -> Outcome {
    match result {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(broken(format!("{what}: expected the error kind {kind:?}, found {error}"))),
        Ok(value) => Err(broken(format!("{what}: expected the error kind {kind:?}, found {value:?}"))),
    }
}

/// Expects [`Reply::Applied`].
pub(super) fn applied(what: &str, reply: &Reply) -> Outcome {
    match reply {
        Reply::Applied(_) => Ok(()),
        other => Err(broken(format!("{what}: expected Applied, found {other:?}"))),
    }
}

/// Expects a refusal for good.
pub(super) fn refused(what: &str, reply: &Reply) -> Outcome {
    match reply {
        Reply::Rejected(Rejection::Permanent { .. }) => Ok(()),
        other => Err(broken(format!("{what}: expected Rejected(Permanent), found {other:?}"))),
    }
}

/// Expects a conflict with the precondition.
pub(super) fn drifted(what: &str, reply: &Reply) -> Outcome {
    match reply {
        Reply::Conflict(Conflict::Drifted { .. }) => Ok(()),
        other => Err(broken(format!("{what}: expected Conflict(Drifted), found {other:?}"))),
    }
}

/// Expects an acknowledged seal.
pub(super) fn sealed(what: &str, seal: Seal) -> Result<Sealed, Unmet> {
    match seal {
        Seal::Sealed(sealed) => Ok(sealed),
        other => Err(broken(format!("{what}: expected Sealed, found {other:?}"))),
    }
}
