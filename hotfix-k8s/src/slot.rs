//! The two slots of a workload on Kubernetes: two Deployments that take turns.

use hotfix_core::model::SlotName;

/// The names of both slots.
///
/// `main` is the Deployment that is there; `hotfix` is its copy, made by this crate, scaled to zero when it is not
/// needed. Either can be live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slots {
    pub(crate) main: SlotName,
    pub(crate) hotfix: SlotName,
}
