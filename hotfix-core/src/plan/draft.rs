//! How a plan is put together: steps get their numbers, deadlines and meaning of failure as they are added.

use super::rollback::Undoing;
use super::safety::{Facts, Site};
use super::{
    Action, Baseline, Budget, Finding, Gate, Judging, OnFailure, Plan, PlanDraft, Planned, Report, Step,
    StepId,
};
use crate::model::{
    ArtifactId, Effect, Period, Phase, Precondition, RefBatch, RefUpdate, Release, ServiceName, SlotName,
    Target, Verb, WatchRules,
};
use crate::observe::Fact;
use crate::policy::RolloutPolicy;

/// The forward steps so far.
#[derive(Debug)]
pub(super) struct Steps<'a> {
    rollout: &'a RolloutPolicy,
    service: &'a ServiceName,
    phase: Phase,
    on_failure: OnFailure,
    steps: Vec<Step>,
}

/// What a verb may find at the workload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expect<'a> {
    /// The live slot holds this.
    pub(super) live: &'a ArtifactId,
    /// This slot holds this.
    pub(super) holds: Option<(&'a SlotName, &'a ArtifactId)>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(facts: Facts<'a>) -> Self {
        Self {
            rollout: &facts.policy.rollout,
            service: &facts.request.service,
            phase: Phase::Preparing,
            on_failure: OnFailure::RollBack,
            steps: Vec::new(),
        }
    }

    /// Says to which phase the following steps belong.
    pub(super) const fn phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// From here on nothing is taken back.
    pub(super) const fn point_of_no_return(&mut self) {
        self.on_failure = OnFailure::Escalate;
    }

    /// Moves references together.
    pub(super) fn references(&mut self, updates: Vec<RefUpdate>) {
        let effect = Effect::Source { service: self.service.clone(), batch: RefBatch { updates } };
        self.add(Action::Effect(effect), self.rollout.step_deadline);
    }

    /// Changes a workload.
    pub(super) fn verb(&mut self, target: &Target, verb: Verb, expect: Expect<'_>) {
        let holds = expect.holds.map(|(slot, artifact)| (slot.clone(), artifact.clone()));
        let precondition = Precondition { live: vec![expect.live.clone()], holds };
        let effect = Effect::Workload { target: target.clone(), verb, precondition };
        self.add(Action::Effect(effect), self.rollout.step_deadline);
    }

    /// Waits until a slot is ready.
    pub(super) fn ready(&mut self, target: &Target, slot: &SlotName, artifact: &ArtifactId) {
        let gate = Gate::Ready { target: target.clone(), slot: slot.clone(), artifact: artifact.clone() };
        self.add(Action::Gate(gate), self.rollout.ready_deadline);
    }

    /// Waits while a slot stays well; no time: does nothing.
    pub(super) fn soak(&mut self, target: &Target, slot: &SlotName, artifact: &ArtifactId, lasting: Period) {
        if lasting.as_millis() > 0 {
            let (target, slot, artifact) = (target.clone(), slot.clone(), artifact.clone());
            let deadline = Period::from_millis(
                lasting.as_millis().saturating_add(self.rollout.ready_deadline.as_millis()),
            );
            self.add(Action::Gate(Gate::Soak { target, slot, artifact, lasting }), deadline);
        }
    }

    /// Waits for a verdict.
    pub(super) fn verify(&mut self, gate: Gate) {
        self.add(Action::Gate(gate), self.rollout.verify_deadline);
    }

    /// Waits until somebody agrees.
    pub(super) fn approval(&mut self, site: &Site<'_>, within: Period) {
        let (target, slot, artifact) =
            (site.target.clone(), site.live.clone(), site.state.release.artifact.id());
        self.add(Action::Gate(Gate::Approval { target, slot, artifact }), within);
    }

    /// Watches what is live.
    pub(super) fn watch(&mut self, site: &Site<'_>, lasting: Period, rules: &WatchRules) {
        let (target, slot, artifact) =
            (site.target.clone(), site.live.clone(), site.state.release.artifact.id());
        // The last look may come a while after the end.
        let millis = [lasting, rules.every, self.rollout.ready_deadline].map(Period::as_millis);
        let deadline = Period::from_millis(millis.into_iter().fold(0, u64::saturating_add));
        let rules = Box::new(rules.clone());
        self.add(Action::Gate(Gate::Watch { target, slot, artifact, lasting, rules }), deadline);
    }

    fn add(&mut self, action: Action, deadline: Period) {
        let id = StepId(u16::try_from(self.steps.len()).unwrap_or(u16::MAX));
        let (phase, on_failure) = (self.phase, self.on_failure);
        self.steps.push(Step { id, phase, action, deadline, on_failure });
    }

    /// Returns the longest that all steps can take.
    pub(super) fn longest(&self) -> Period {
        let millis = self.steps.iter().map(|step| step.deadline.as_millis());
        Period::from_millis(millis.fold(0, u64::saturating_add))
    }
}

/// Everything of a plan but its forward steps.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) release: Option<Release>,
    pub(super) baselines: Vec<Baseline>,
    pub(super) undoing: Undoing,
    pub(super) findings: Vec<Finding>,
}

/// Finishes a plan: the rollback is computed from the steps, and everything is frozen.
pub(super) fn finish(facts: Facts<'_>, steps: Steps<'_>, frame: Frame) -> Planned {
    let budget = Budget { forward: steps.longest(), rollback: facts.policy.rollout.rollback_budget };
    let undo_deadline = facts.policy.rollout.undo_deadline;
    let rollback = frame.undoing.steps(&steps.steps, &frame.baselines, undo_deadline);
    let draft = PlanDraft {
        made_at: facts.snapshot.taken_at,
        request: facts.request.clone(),
        release: frame.release,
        baselines: frame.baselines,
        steps: steps.steps,
        rollback,
        report: Report { findings: frame.findings },
        budget,
        execution: facts.policy.execution.clone(),
        judging: Judging {
            rules: facts.policy.judging.clone(),
            // Without a history errors count as coming one by one, and latency is not compared.
            calibration: facts
                .snapshot
                .calibration
                .as_ref()
                .and_then(Fact::known)
                .cloned()
                .unwrap_or_default(),
        },
    };
    Planned::Plan(Box::new(Plan::assemble(draft).expect("steps are numbered as they are added")))
}
