//! Why a verb is refused, beside the rules that hold for every backend.

use hotfix_core::model::{VerbRefusal, Weights};

use crate::object::ObjectRef;
use crate::sight::Unreadable;
use crate::traffic::NotUnderstood;

/// Why a verb is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0}")]
    Rule(VerbRefusal),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("{0}")]
    Route(Box<NotUnderstood>),
    #[error(
        "{object} sends all traffic to one slot and cannot split it into {weights}; use a route with weights"
    )]
    Split { object: Box<ObjectRef>, weights: Weights },
    #[error("{0} cannot run in a cluster; only images by digest (image:sha256:...) can")]
    NotAnImage(String),
    #[error("{0} was never adopted; adopt the target first")]
    NotAdopted(Box<ObjectRef>),
    #[error("the snapshot was not taken by this version: {0}; take it anew")]
    Snapshot(String),
}

impl From<NotUnderstood> for Refused {
    fn from(error: NotUnderstood) -> Self {
        Self::Route(error.into())
    }
}
