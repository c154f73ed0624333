//! The finished plan: complete, immutable, its rollback included.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Execution, Gate, OnFailure, Report, Step, StepId, Undo};
use crate::model::{
    Calibration, Effect, Fenced, LatencyBound, Period, Release, Target, Threshold, Timestamp, Verb,
    VerificationRules, WorkloadSnapshot,
};
use crate::request::Request;

/// What a run will do, decided in full before the first effect.
///
/// Execution has no meaningful choice left: it takes the steps in order, without the shares of traffic that somebody
/// asks to leave out, and, when one fails, the undo steps whose forward steps were applied or may have been. A plan cannot be changed; it is made by [`plan`](super::plan), or
/// assembled from a [`PlanDraft`] by somebody who composes a pipeline of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PlanDraft", into = "PlanDraft")]
pub struct Plan(PlanDraft);

/// The open form of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanDraft {
    /// When the facts were observed that it rests on.
    pub made_at: Timestamp,
    /// What was asked for.
    pub request: Request,
    /// What will be live afterwards; `None` when nothing is deployed.
    pub release: Option<Release>,
    /// What was live and healthy before, per workload: the goal of the rollback.
    pub baselines: Vec<Baseline>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What takes it back, in order.
    pub rollback: Vec<Undo>,
    /// What was chosen, warned of and left to do, and why.
    pub report: Report,
    /// How long it may take.
    pub budget: Budget,
    /// Attempts, delays and leases.
    pub execution: Execution,
    /// What is harm, what is health, and what was usual before.
    pub judging: Judging,
}

/// How traffic is judged, frozen for the run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Judging {
    /// The rules.
    pub rules: VerificationRules,
    /// What is live as it was before the first effect.
    #[serde(flatten)]
    pub calibration: Calibration,
}

impl Judging {
    /// Returns the latency bounds that must be counted: those that are compared and those of thresholds, ascending.
    #[must_use]
    pub fn bounds(&self) -> Vec<LatencyBound> {
        let compared = self.calibration.tails.iter().map(|tail| tail.over);
        let limited = self.rules.thresholds.iter().filter_map(Threshold::bound);
        compared.chain(limited).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// How long a run may take. What is reserved for the rollback cannot be spent by forward steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// All forward steps together.
    pub forward: Period,
    /// The whole rollback, from the decision on.
    pub rollback: Period,
}

/// What a workload is restored to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The workload.
    pub target: Target,
    /// What it was.
    pub snapshot: WorkloadSnapshot,
}

/// A draft that is not a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedPlan {
    /// There is nothing to do.
    #[error("the plan has no steps; nothing needs to be run")]
    Empty,
    /// The ids do not count up from the first forward step to the last undo step.
    #[error(
        "step {found} stands at position {position}; ids must count up from the first step to the last undo step"
    )]
    Numbering {
        /// The id found.
        found: StepId,
        /// Where it stands.
        position: StepId,
    },
    /// An undo step covers something that is not a forward effect.
    #[error("undo step {undo} covers step {covers}, which is not an effect of this plan")]
    Covers {
        /// The undo step.
        undo: StepId,
        /// What it covers.
        covers: StepId,
    },
    /// There are more steps than ids.
    #[error("the plan has {steps} steps; at most {limit} are possible")]
    TooLong {
        /// How many.
        steps: usize,
        /// The limit.
        limit: usize,
    },
}

const LIMIT: usize = 4096;

impl Plan {
    /// Makes a plan of a draft whose parts fit together. Whether it is *safe* is for [`check`](super::check) to say.
    ///
    /// # Errors
    /// [`MalformedPlan`] naming the step.
    pub fn assemble(draft: PlanDraft) -> Result<Self, MalformedPlan> {
        let total = draft.steps.len() + draft.rollback.len();
        if draft.steps.is_empty() {
            return Err(MalformedPlan::Empty);
        }
        if total > LIMIT {
            return Err(MalformedPlan::TooLong { steps: total, limit: LIMIT });
        }
        let ids = draft.steps.iter().map(|step| step.id).chain(draft.rollback.iter().map(|undo| undo.id));
        for (position, found) in (0..).map(StepId).zip(ids) {
            if found != position {
                return Err(MalformedPlan::Numbering { found, position });
            }
        }
        for undo in &draft.rollback {
            for covers in &undo.covers {
                let covered = draft.steps.get(usize::from(covers.0));
                if !covered.is_some_and(|step| matches!(step.action, super::Action::Effect(_))) {
                    return Err(MalformedPlan::Covers { undo: undo.id, covers: *covers });
                }
            }
        }
        Ok(Self(draft))
    }

    /// Returns the open form.
    #[must_use]
    pub fn into_draft(self) -> PlanDraft {
        self.0
    }

    /// When the facts were observed that it rests on.
    #[must_use]
    pub fn made_at(&self) -> Timestamp {
        self.0.made_at
    }

    /// What was asked for.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.0.request
    }

    /// What will be live afterwards.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        self.0.release.as_ref()
    }

    /// What was live and healthy before, per workload.
    #[must_use]
    pub fn baselines(&self) -> &[Baseline] {
        &self.0.baselines
    }

    /// The forward steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0.steps
    }

    /// The undo steps, in order.
    #[must_use]
    pub fn rollback(&self) -> &[Undo] {
        &self.0.rollback
    }

    /// What was chosen, warned of and left to do.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.0.report
    }

    /// How long it may take.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.0.budget
    }

    /// Attempts, delays and leases.
    #[must_use]
    pub fn execution(&self) -> &Execution {
        &self.0.execution
    }

    /// How traffic is judged.
    #[must_use]
    pub fn judging(&self) -> &Judging {
        &self.0.judging
    }

    /// Returns the first step whose failure takes nothing back any more; `None`: every failure rolls back.
    #[must_use]
    pub fn point_of_no_return(&self) -> Option<StepId> {
        let step = self.0.steps.iter().find(|step| step.on_failure == OnFailure::Escalate)?;
        Some(step.id)
    }

    /// Returns a forward step.
    #[must_use]
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.0.steps.get(usize::from(id.0))
    }

    /// Returns an undo step.
    #[must_use]
    pub fn undo(&self, id: StepId) -> Option<&Undo> {
        self.0.rollback.get(usize::from(id.0).checked_sub(self.0.steps.len())?)
    }

    /// Returns the effect of a forward or undo step; `None` for a gate.
    #[must_use]
    pub fn effect(&self, id: StepId) -> Option<&Effect> {
        match self.step(id) {
            Some(Step { action: super::Action::Effect(effect), .. }) => Some(effect),
            Some(_) => None,
            None => self.undo(id).map(|undo| &undo.effect),
        }
    }

    /// Returns how many instances of what a gate is about the plan stages in the end; `None` when it stages none.
    #[must_use]
    pub fn staged(&self, gate: &Gate) -> Option<NonZeroU16> {
        let staged = self.0.steps.iter().filter_map(|step| match &step.action {
            super::Action::Effect(Effect::Workload {
                target,
                verb: Verb::Stage { slot, release, replicas },
                ..
            }) if (target, slot) == (gate.target(), gate.slot())
                && release.artifact.id() == *gate.artifact() =>
            {
                Some(*replicas)
            }
            _ => None,
        });
        staged.max()
    }

    /// Returns everything that a run of this plan claims, in order, each once.
    #[must_use]
    pub fn claims(&self) -> Vec<Fenced> {
        let count = self.0.steps.len() + self.0.rollback.len();
        let ids = (0..count).filter_map(|id| u16::try_from(id).ok()).map(StepId);
        let effects = ids.filter_map(|id| self.effect(id)).map(Effect::fenced);
        let watched = self.0.steps.iter().filter_map(|step| match &step.action {
            super::Action::Gate(Gate::Watch { target, .. }) => Some(Fenced::Watch(target.clone())),
            super::Action::Gate(_) | super::Action::Effect(_) => None,
        });
        effects.chain(watched).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns a digest of the whole plan: two plans with the same digest do the same.
    #[must_use]
    pub fn digest(&self) -> String {
        let bytes = serde_json::to_vec(&self.0).unwrap_or_default();
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<PlanDraft> for Plan {
    type Error = MalformedPlan;
    fn try_from(draft: PlanDraft) -> Result<Self, MalformedPlan> {
        Self::assemble(draft)
    }
}

impl From<Plan> for PlanDraft {
    fn from(plan: Plan) -> Self {
        plan.0
    }
}
