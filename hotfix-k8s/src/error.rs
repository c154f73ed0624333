//! What can go wrong before a verb is applied, each with the object, the place in it and the mend.

use hotfix_core::model::Target;
use hotfix_core::port::Rejection;
use hotfix_core::{Error, ErrorKind, RetryClass};

use crate::api::Failure;
use crate::config::InvalidConfig;
use crate::in_git::{self, Unwritable};
use crate::in_place::Misfit;
use crate::object::ObjectRef;
use crate::owner::Owned;
use crate::reply::{self, Meaning};
use crate::shape::Misshapen;
use crate::sight::Unreadable;

/// A target that cannot be read or handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("target {0} is not configured; add it to the configuration of this deployer")]
    NotConfigured(Target),
    #[error("{0} does not exist; create it or correct the configuration")]
    Missing(Box<ObjectRef>),
    #[error("{object} is not understood: {reason}; correct or remove it")]
    Corrupt { object: Box<ObjectRef>, reason: String },
    #[error("{object} exists and is no copy of {deployment}; rename or remove it")]
    Foreign { object: Box<ObjectRef>, deployment: Box<ObjectRef> },
    #[error(
        "{object} selects pods by {label}: {value}, and this way to split traffic takes {label}: {wanted}; delete it while it has no pods and adopt the target again"
    )]
    OtherTraffic { object: Box<ObjectRef>, label: String, value: String, wanted: String },
    #[error("{0} is being deleted and waits for its finalizers; create it again when it is gone")]
    Going(Box<ObjectRef>),
    #[error("a run is under way at {0}; wait for its end, and have it taken over if its process died")]
    UnderWay(Target),
    #[error(transparent)]
    Misshapen(#[from] Misshapen),
    #[error(transparent)]
    Misfit(#[from] Misfit),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Owned(#[from] Owned),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    InGit(#[from] in_git::Refused),
    #[error(
        "{target} is written to the repository {name:?}, and the deployer was given none of that name; give it one with with_repository"
    )]
    NoRepository { target: Target, name: String },
    #[error("the repository {name:?} cannot be read: {reason}")]
    Repository { name: String, kind: ErrorKind, reason: String },
    #[error("{object} cannot be read or written: {}", text(failure))]
    Request { object: String, failure: Failure },
}

impl Unusable {
    /// The same as an error of the port.
    pub(crate) fn into_port(self, operation: &'static str) -> Error {
        let kind = match &self {
            Self::Request { object, failure } => return reply::read_error(failure, operation, object),
            Self::NotConfigured(_) | Self::Missing(_) => ErrorKind::NotFound,
            Self::Corrupt { .. } | Self::Unreadable(_) => ErrorKind::Corrupt,
            Self::Foreign { .. }
            | Self::OtherTraffic { .. }
            | Self::Misshapen(_)
            | Self::Misfit(_)
            | Self::Unwritable(_)
            | Self::NoRepository { .. } => ErrorKind::Invalid,
            Self::Repository { kind, .. } => *kind,
            Self::Owned(_) => ErrorKind::Unsupported,
            Self::Going(_) | Self::UnderWay(_) | Self::InGit(_) => ErrorKind::Conflict,
        };
        Error::new(kind, operation, self.to_string())
    }

    /// The same as the answer to a mutation, before which nothing was changed.
    pub(crate) fn rejection(&self) -> Rejection {
        match self {
            Self::Request { failure: Failure::Status(refusal), .. } if refusal.is_passing() => {
                reply::busy(self.to_string(), refusal.retry_after)
            }
            Self::Request { failure: Failure::Status(_), .. } => reply::permanent(self.to_string()),
            // A read that failed is no reason never to try again.
            Self::Request { .. } | Self::Repository { .. } => reply::busy(self.to_string(), None),
            _ => reply::permanent(self.to_string()),
        }
    }
}

fn text(failure: &Failure) -> String {
    match failure {
        Failure::NotSent { cause } | Failure::Interrupted { cause } => cause.clone(),
        Failure::Timeout => "no answer in time".to_owned(),
        Failure::Unclear { answer } => answer.clone(),
        Failure::Status(refusal) => reply::said(refusal),
    }
}

/// Why a deployer cannot be built, or a target not be adopted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubernetesError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// No name of a Lease can begin like this.
    #[error(
        "no lease can have a name that begins with {0:?}; use lower-case letters, digits, inner dashes and dots, {longest} \
         at most",
        longest = crate::lease::LONGEST_PREFIX
    )]
    LeasePrefix(String),
    /// No client can be made for the cluster.
    #[error("no client can be made for the cluster")]
    Client(#[source] Box<kube::Error>),
    /// The target cannot be adopted as it is. The text names the object, the place in it and the mend.
    #[error("{target} cannot be adopted: {reason}")]
    Refused {
        /// The target.
        target: Target,
        /// Why not.
        reason: String,
    },
    /// The API server was not reached or refused; what was changed before stays and is found by the next try.
    #[error("{target} was not adopted: {reason}")]
    Unavailable {
        /// The target.
        target: Target,
        /// What happened.
        reason: String,
        /// Whether the same call can succeed later without anybody doing anything.
        retry: RetryClass,
    },
    /// The sync of an owner was not given back; what was given back before stays so.
    #[error("the sync of {target} was not given back: {reason}")]
    Sync {
        /// The target.
        target: Target,
        /// Why not.
        reason: String,
        /// Whether the same call can succeed later without anybody doing anything.
        retry: RetryClass,
    },
}

impl KubernetesError {
    pub(crate) fn adopting(target: &Target, unusable: &Unusable) -> Self {
        let (target, reason) = (target.clone(), unusable.to_string());
        match unusable {
            Unusable::Request { failure, .. } => Self::Unavailable { target, reason, retry: retry(failure) },
            _ => Self::Refused { target, reason },
        }
    }

    pub(crate) fn resuming(target: &Target, unusable: &Unusable) -> Self {
        let retry = match unusable {
            Unusable::Request { failure, .. } => retry(failure),
            Unusable::UnderWay(_) => RetryClass::Later,
            _ => RetryClass::Never,
        };
        Self::Sync { target: target.clone(), reason: unusable.to_string(), retry }
    }
}

/// Whether a request that failed can succeed later.
fn retry(failure: &Failure) -> RetryClass {
    match reply::meaning(failure, &ObjectRef::deployment("", "")) {
        Meaning::Rejected(Rejection::Permanent { .. }) | Meaning::Unproven { .. } => RetryClass::Never,
        _ => RetryClass::Later,
    }
}

#[cfg(test)]
mod tests {
    use hotfix_core::model::Period;

    use super::*;
    use crate::api::Refusal;

    #[test]
    fn a_read_that_failed_in_passing_is_tried_again() {
        enum Then {
            Busy,
            Permanent,
        }
        let cases = [
            (400, "BadRequest", Then::Permanent),
            (401, "Unauthorized", Then::Permanent),
            (403, "Forbidden", Then::Permanent),
            (404, "NotFound", Then::Permanent),
            // Not the word of the API server.
            (404, "", Then::Busy),
            (408, "", Then::Busy),
            (410, "Expired", Then::Busy),
            (429, "TooManyRequests", Then::Busy),
            (500, "InternalError", Then::Busy),
            (503, "", Then::Busy),
        ];
        for (code, reason, then) in cases {
            let retry_after = Some(Period::from_secs(7));
            let refusal = Refusal { code, reason: reason.to_owned(), message: "no".to_owned(), retry_after };
            let unusable = Unusable::Request {
                object: "Deployment prod/shop".to_owned(),
                failure: Failure::Status(refusal),
            };
            let text = unusable.to_string();
            let expected = match then {
                Then::Busy => reply::busy(text, retry_after),
                Then::Permanent => reply::permanent(text),
            };
            assert_eq!(unusable.rejection(), expected, "{code}");
        }
    }
}
