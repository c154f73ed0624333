//! The parts of a plan: ordered steps and what takes them back.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{ArtifactId, Effect, Period, Phase, SlotName, Target, WatchRules};

/// Position of a step in its plan. Forward steps come first, undo steps follow; stable for the run's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u16);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 + 1)
    }
}

/// One forward step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its position.
    pub id: StepId,
    /// Which phase it belongs to.
    pub phase: Phase,
    /// What it does.
    pub action: Action,
    /// How long it may take from its start, all attempts together.
    pub deadline: Period,
    /// What a failure of it means.
    pub on_failure: OnFailure,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Changes the world.
    Effect(Effect),
    /// Waits until something is proven.
    Gate(Gate),
}

/// What must be proven before the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "gate")]
pub enum Gate {
    /// All instances of the slot are ready and nothing is wrong with them.
    Ready {
        /// The workload.
        target: Target,
        /// The slot.
        slot: SlotName,
        /// What the slot holds.
        artifact: ArtifactId,
    },
    /// The slot stays ready and faultless for a while.
    Soak {
        /// The workload.
        target: Target,
        /// The slot.
        slot: SlotName,
        /// What the slot holds.
        artifact: ArtifactId,
        /// For how long.
        lasting: Period,
    },
    /// The judge promotes the slot at its present weight.
    Verify {
        /// The workload.
        target: Target,
        /// The slot that is judged.
        canary: SlotName,
        /// What it holds.
        artifact: ArtifactId,
        /// The slot it is compared with; `None` where nothing else gets traffic.
        baseline: Option<SlotName>,
        /// The share of the traffic the canary has, in percent.
        weight: u8,
        /// How many verified steps of this rollout follow.
        later: u8,
    },
    /// Somebody agrees to what follows.
    Approval {
        /// The workload that is about to be changed.
        target: Target,
        /// The slot that is live.
        slot: SlotName,
        /// What it holds.
        artifact: ArtifactId,
    },
    /// What is live is watched for a while. It also ends, and passes, when something else is live.
    Watch {
        /// The workload.
        target: Target,
        /// The slot that is live.
        slot: SlotName,
        /// What it holds.
        artifact: ArtifactId,
        /// For how long.
        lasting: Period,
        /// What is looked out for.
        rules: Box<WatchRules>,
    },
}

impl Gate {
    /// Returns the workload it watches.
    #[must_use]
    pub const fn target(&self) -> &Target {
        match self {
            Self::Ready { target, .. }
            | Self::Soak { target, .. }
            | Self::Verify { target, .. }
            | Self::Approval { target, .. }
            | Self::Watch { target, .. } => target,
        }
    }

    /// Returns the slot it watches.
    #[must_use]
    pub const fn slot(&self) -> &SlotName {
        match self {
            Self::Ready { slot, .. }
            | Self::Soak { slot, .. }
            | Self::Verify { canary: slot, .. }
            | Self::Approval { slot, .. }
            | Self::Watch { slot, .. } => slot,
        }
    }

    /// Returns the artifact it is about.
    #[must_use]
    pub const fn artifact(&self) -> &ArtifactId {
        match self {
            Self::Ready { artifact, .. }
            | Self::Soak { artifact, .. }
            | Self::Verify { artifact, .. }
            | Self::Approval { artifact, .. }
            | Self::Watch { artifact, .. } => artifact,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { target, slot, .. } => write!(f, "{target}: wait until {slot} is ready"),
            Self::Soak { target, slot, lasting, .. } => {
                write!(f, "{target}: {slot} stays ready and faultless for {lasting}")
            }
            Self::Verify { target, canary, baseline: Some(baseline), weight, .. } => {
                write!(f, "{target}: judge {canary} at {weight} % against {baseline}")
            }
            Self::Verify { target, canary, baseline: None, weight, .. } => {
                write!(f, "{target}: judge {canary} at {weight} %")
            }
            Self::Approval { target, .. } => write!(f, "{target}: wait until somebody agrees"),
            Self::Watch { target, slot, lasting, .. } => write!(f, "{target}: watch {slot} for {lasting}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Effect(effect) => effect.fmt(f),
            Self::Gate(gate) => gate.fmt(f),
        }
    }
}

/// What the failure of a step means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Everything done so far is taken back.
    RollBack,
    /// The fix is live and proven: it stays, and a human finishes what is left.
    Escalate,
}

/// A step that takes others back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Its position.
    pub id: StepId,
    /// The forward steps it takes back. It runs if any of them was applied or may have been.
    pub covers: Vec<StepId>,
    /// What it does.
    pub effect: Effect,
    /// How long it may take, out of the budget reserved for the rollback.
    pub deadline: Period,
}
