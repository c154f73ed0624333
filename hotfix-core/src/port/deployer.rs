//! `Deployer`: the verbs every strategy is made of.

use std::collections::BTreeSet;
use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{BoxStream, Call, Probe, Reply, Seal};
use crate::error::Result;
use crate::model::{
    Fault, IdempotencyKey, Precondition, SlotName, Stamp, Target, Verb, VerbName, Workload, WorkloadSnapshot,
};

/// Deploys releases to workloads.
///
/// # Contract
/// A target has one or more slots, each holding at most one release; one slot is live; traffic is split between
/// slots. Verbs are "ensure" operations: applied to a target that already is as they ask, they change nothing and
/// answer [`Reply::Applied`]. A backend keeps the weight rules by itself, however it is called: no traffic to a slot
/// without a ready instance, no traffic to a slot that is being emptied, never an empty live slot.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Deployer: Debug + Send + Sync {
    /// Returns what this backend can do on a target. It is told from the configuration, without a look at the target,
    /// and does not change while the backend is in use; of a target that it does not know it may say anything.
    fn capabilities(&self, target: &Target) -> DeployerCapabilities;

    /// Reads the workload as it is now, never from a cache.
    ///
    /// *Errors*: `NotFound` when the target is not known here; `Unavailable`, `Timeout`.
    /// *Cancellation*: leaves nothing.
    async fn observe(&self, target: &Target) -> Result<Workload>;

    /// Follows a workload: first one [`WorkloadChange::Instances`] per filled slot with the present state, then
    /// every change. The stream may merge changes, never lose the last. It ends with an error when it broke, and when
    /// for about a minute nobody could look: a gate that sees nothing must not pass. The caller then observes and
    /// watches again.
    ///
    /// *Errors*: as [`Deployer::observe`]. *Cancellation*: dropping the stream ends the watch.
    async fn watch(&self, target: &Target) -> Result<WorkloadWatch>;

    /// Takes everything needed to restore the workload, without changing it. Deterministic for an unchanged
    /// workload.
    ///
    /// *Errors*: as [`Deployer::observe`]; `NotFound` also when nothing is live.
    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot>;

    /// Applies a verb.
    ///
    /// *Errors*: in the reply. A verb that is not in the capabilities, or breaks the weight rules, is
    /// [`Rejection::Permanent`](super::Rejection::Permanent).
    /// *Atomicity*: stamp and precondition are compared and the stamp is raised in one step before anything changes;
    /// a verb that fails half-way is `Ambiguous`, and a later seal and probe tell. It is then put back by a `restore`, also
    /// when its key was not applied; what is `Rejected` is not, so it must have left nothing.
    /// *Idempotency*: a key that was applied answers `Applied` again and changes nothing, provided its stamp is
    /// still the newest or the call carries a newer one.
    /// *Cancellation*: the outcome is unknown.
    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply;

    /// Raises the fence to `stamp` and changes nothing else.
    ///
    /// *Idempotency*: the same stamp again answers `Sealed`. *Cancellation*: seal again.
    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal;

    /// Tells whether a key was applied, from the target itself and never from a cache.
    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe;
}

/// What a deployer can do on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployerCapabilities {
    /// The verbs it offers.
    pub verbs: BTreeSet<VerbName>,
    /// How finely traffic can be split.
    pub split: TrafficSplit,
    /// Whether a stale or repeated request is refused by the target itself.
    pub fence: Fence,
}

/// How finely traffic can be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficSplit {
    /// Any whole percentage.
    Percent,
    /// All or nothing.
    Switch,
    /// A slot gets the share of the traffic that its instances are of all: the slots share one set of instances, and
    /// what is staged in one replaces as many of the other. See [`Layout::after_in_place`](crate::model::Layout::after_in_place).
    Instances,
    /// The same, and what is staged replaces all instances: no slot gets a part of them. See
    /// [`Layout::after_at_once`](crate::model::Layout::after_at_once).
    AllInstances,
}

impl TrafficSplit {
    /// Returns whether the slots share one set of instances.
    #[must_use]
    pub const fn shares_instances(self) -> bool {
        matches!(self, Self::Instances | Self::AllInstances)
    }
}

/// How well a target keeps stale requests out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fence {
    /// The target compares the stamp in the same step as it applies the effect.
    Checked,
    /// It does not. A plan uses such a backend only where the request accepts it.
    None,
}

/// The stream of [`Deployer::watch`].
pub type WorkloadWatch = BoxStream<Result<WorkloadChange>>;

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkloadChange {
    /// How many instances of a slot are wanted and how many can take traffic.
    Instances {
        /// The slot.
        slot: SlotName,
        /// Wanted.
        replicas: u16,
        /// Ready.
        ready: u16,
    },
    /// Something is wrong with an instance.
    Faulty {
        /// The slot.
        slot: SlotName,
        /// What.
        fault: Fault,
    },
}
