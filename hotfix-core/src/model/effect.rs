//! Effects: the only things that change the world, as data.

use std::fmt;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use super::{
    ArtifactId, Fenced, ObjectId, RefName, Release, ServiceName, SlotName, Target, Weights, WorkloadSnapshot,
};

/// One reference of a batch. The expected old value is the precondition: a reference that holds something else
/// fails the whole batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RefUpdate {
    /// The reference.
    pub name: RefName,
    /// What it must hold before; `None`: it must not exist.
    pub old: Option<ObjectId>,
    /// What it holds after; `None`: it is deleted.
    pub new: Option<ObjectId>,
}

impl RefUpdate {
    /// Creates a reference that must not exist yet.
    #[must_use]
    pub const fn create(name: RefName, new: ObjectId) -> Self {
        Self { name, old: None, new: Some(new) }
    }

    /// Moves a reference.
    #[must_use]
    pub const fn update(name: RefName, old: ObjectId, new: ObjectId) -> Self {
        Self { name, old: Some(old), new: Some(new) }
    }

    /// Deletes a reference.
    #[must_use]
    pub const fn delete(name: RefName, old: ObjectId) -> Self {
        Self { name, old: Some(old), new: None }
    }
}

impl fmt::Display for RefUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.short();
        match (&self.old, &self.new) {
            (None, Some(new)) => write!(f, "create {name} at {}", new.short()),
            (Some(old), Some(new)) => write!(f, "move {name} from {} to {}", old.short(), new.short()),
            (Some(old), None) => write!(f, "delete {name} at {}", old.short()),
            (None, None) => write!(f, "expect no {name}"),
        }
    }
}

/// References that move together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RefBatch {
    /// The updates, in the order of the plan. Names are unique.
    pub updates: Vec<RefUpdate>,
}

/// A verb of a deployer. Strategies are sequences of these; a deployer knows nothing of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verb")]
pub enum Verb {
    /// Makes the slot hold that many instances of the release. Sends it no traffic.
    Stage {
        /// Where; never the live slot, unless it already holds the same release.
        slot: SlotName,
        /// What.
        release: Release,
        /// How many instances.
        replicas: NonZeroU16,
    },
    /// Splits the traffic. A side that gets traffic must have a ready instance.
    Shift {
        /// The split afterwards.
        weights: Weights,
    },
    /// Makes the slot the live one. It must have all the traffic.
    Promote {
        /// The slot that becomes live.
        slot: SlotName,
    },
    /// Stops what the slot holds and empties it. It must have no traffic and not be live.
    Retire {
        /// The slot to empty.
        slot: SlotName,
    },
    /// Puts the snapshot back: its release live, ready and with all the traffic, the other slots empty.
    /// Traffic moves first where the old side can take it. Never refused because that side is short of instances.
    Restore {
        /// What to go back to.
        snapshot: WorkloadSnapshot,
    },
    /// Stops accepting changes other than `resume` and `restore`.
    Pause,
    /// Accepts changes again.
    Resume,
}

impl Verb {
    /// Returns which verb it is.
    #[must_use]
    pub const fn name(&self) -> VerbName {
        match self {
            Self::Stage { .. } => VerbName::Stage,
            Self::Shift { .. } => VerbName::Shift,
            Self::Promote { .. } => VerbName::Promote,
            Self::Retire { .. } => VerbName::Retire,
            Self::Restore { .. } => VerbName::Restore,
            Self::Pause => VerbName::Pause,
            Self::Resume => VerbName::Resume,
        }
    }
}

/// The verbs by name, for capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is documented at `Verb`")]
pub enum VerbName {
    Stage,
    Shift,
    Promote,
    Retire,
    Restore,
    Pause,
    Resume,
}

impl fmt::Display for VerbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stage => "stage",
            Self::Shift => "shift",
            Self::Promote => "promote",
            Self::Retire => "retire",
            Self::Restore => "restore",
            Self::Pause => "pause",
            Self::Resume => "resume",
        })
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage { slot, release, replicas } => {
                write!(f, "stage {release} on {slot} with {replicas} replica(s)")
            }
            Self::Shift { weights } => write!(f, "shift traffic to {weights}"),
            Self::Promote { slot } => write!(f, "promote {slot}"),
            Self::Retire { slot } => write!(f, "retire {slot}"),
            Self::Restore { snapshot } => {
                write!(
                    f,
                    "restore {} on {} with {} replica(s)",
                    snapshot.release, snapshot.slot, snapshot.replicas
                )
            }
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
        }
    }
}

/// What must hold at a workload for a verb to be applied, checked in the same step as the stamp.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// The live slot must hold one of these artifacts; empty: anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub live: Vec<ArtifactId>,
    /// This slot must hold this artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<(SlotName, ArtifactId)>,
}

/// One change of the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "at")]
pub enum Effect {
    /// Moves references of a service's repository.
    Source {
        /// The service.
        service: ServiceName,
        /// The references.
        batch: RefBatch,
    },
    /// Changes a workload.
    Workload {
        /// The workload.
        target: Target,
        /// The change.
        verb: Verb,
        /// What must hold before.
        #[serde(default)]
        precondition: Precondition,
    },
}

impl Effect {
    /// Returns what the stamp of this effect fences.
    #[must_use]
    pub fn fenced(&self) -> Fenced {
        match self {
            Self::Source { service, .. } => Fenced::Source(service.clone()),
            Self::Workload { target, .. } => Fenced::Workload(target.clone()),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload { target, verb, .. } => write!(f, "{target}: {verb}"),
            Self::Source { service, batch } => {
                write!(f, "{}: ", Fenced::Source(service.clone()))?;
                for (index, update) in batch.updates.iter().enumerate() {
                    write!(f, "{}{update}", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}
