//! What a deployer sees and what it needs to put things back.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use super::{ArtifactId, Fault, Release, SlotName, Stamp, Weights};

/// What one slot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotState {
    /// The release it holds.
    pub release: Release,
    /// How many instances are wanted.
    pub replicas: NonZeroU16,
    /// How many instances can take traffic now.
    pub ready: u16,
    /// What is wrong with its instances at the moment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// Whether a workload accepts changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rollout {
    /// Changes are accepted.
    Active,
    /// Somebody paused it; only `resume` and `restore` are accepted.
    Paused,
}

/// A workload as observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// The slots that can be used, with what they hold.
    pub slots: BTreeMap<SlotName, Option<SlotState>>,
    /// The slot whose release is the stable one; `None` before the first release.
    pub live: Option<SlotName>,
    /// The traffic split; `None` before the first release.
    pub weights: Option<Weights>,
    /// Whether changes are accepted.
    pub rollout: Rollout,
    /// The highest stamp accepted so far.
    pub stamp: Stamp,
    /// The slot that others deploy to as well, outside of any hotfix: what is live comes back to it in the end. `None`:
    /// all slots are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<SlotName>,
    /// What a backend wants people to know before they change it, one sentence each: a plan repeats it as a warning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

impl Workload {
    /// Returns what the live slot holds.
    #[must_use]
    pub fn live_state(&self) -> Option<&SlotState> {
        self.slot(self.live.as_ref()?)
    }

    /// Returns what a slot holds.
    #[must_use]
    pub fn slot(&self, name: &SlotName) -> Option<&SlotState> {
        self.slots.get(name)?.as_ref()
    }

    /// Returns the artifact of the live slot.
    #[must_use]
    pub fn live_artifact(&self) -> Option<ArtifactId> {
        Some(self.live_state()?.release.artifact.id())
    }

    /// Returns a slot that is not the live one: where the next release can be staged.
    #[must_use]
    pub fn spare(&self) -> Option<&SlotName> {
        self.slots.keys().find(|slot| Some(*slot) != self.live.as_ref())
    }

    /// Returns whether the live release has all its instances ready and nothing wrong with them.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.live_state().is_some_and(|state| state.ready >= state.replicas.get() && state.faults.is_empty())
    }
}

/// Everything needed to put a workload back: taken before the first effect, frozen in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSnapshot {
    /// The slot that was live.
    pub slot: SlotName,
    /// The release it held.
    pub release: Release,
    /// How many instances it had.
    pub replicas: NonZeroU16,
    /// What only the backend understands (configuration, routes …). Never holds a secret.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub backend: serde_json::Value,
}
