//! The durable state of a run: a fold over its journal, and nothing else.

use std::sync::Arc;

use super::trace::Trace;
use super::{Cause, Intent, Outcome, Planned, Record, StepResult};
use crate::model::{Effect, Fenced, Phase, RunId, Stamp, Timestamp};
use crate::plan::{Action, OnFailure, Plan, Step, StepId};

/// What the journal says of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub(super) run: RunId,
    pub(super) plan: Arc<Plan>,
    pub(super) epoch: u64,
    pub(super) entries: u64,
    pub(super) steps: Box<[StepState]>,
    /// What attempts that were not applied may have left, by step.
    pub(super) traces: Box<[Trace]>,
    pub(super) course: Course,
    pub(super) signals: u64,
    pub(super) quarantined: Option<StepId>,
}

/// What the journal says of a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Sent, or about to be: the outcome is unknown until the journal says it.
    Intended(Intent),
    /// Surely not applied; to be tried again.
    Waiting {
        /// The last attempt.
        intent: Intent,
        /// Not before.
        not_before: Timestamp,
    },
    /// Applied.
    Applied {
        /// The stamp of the attempt that did it.
        stamp: Stamp,
    },
    /// Surely not applied, and not tried again.
    Failed,
    /// It met something foreign.
    Drifted {
        /// What is there.
        found: String,
    },
    /// A gate that is open.
    Open {
        /// Since when.
        at: Timestamp,
        /// Until when.
        deadline: Timestamp,
        /// How many looks were journaled.
        looks: u32,
        /// Why a human was asked to look, if one was.
        held: Option<String>,
    },
    /// A gate that passed.
    Passed,
    /// A gate that did not.
    Refused,
    /// Somebody asked to go to all of the traffic at once, so it is not done.
    LeftOut,
}

impl StepState {
    /// Returns whether the run has nothing more to do about it on the way forward.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        matches!(self, Self::Applied { .. } | Self::Passed | Self::LeftOut)
    }

    const fn is_begun(&self) -> bool {
        !matches!(self, Self::Pending | Self::LeftOut)
    }
}

/// Which way a run is going.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Course {
    /// Through the forward steps.
    Forward,
    /// Through the undo steps.
    Back(Cause),
    /// To a human.
    Escalating(Cause),
    /// It ended.
    Ended(Outcome),
}

/// A journal that cannot be what a run wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It does not begin with the plan.
    #[error("the journal does not begin with the plan; it was cut or belongs to something else")]
    NoPlan,
    /// A record contradicts what came before.
    #[error("journal entry {entry} ({kind}) contradicts what came before: {why}")]
    Contradiction {
        /// The number of the entry.
        entry: u64,
        /// What kind of record.
        kind: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

impl Run {
    /// Begins a state with the first record.
    #[must_use]
    pub fn begin(planned: &Planned, epoch: u64) -> Self {
        let steps = planned.plan.steps().len() + planned.plan.rollback().len();
        Self {
            run: planned.run.clone(),
            plan: Arc::new(planned.plan.clone()),
            epoch,
            entries: 1,
            steps: vec![StepState::Pending; steps].into(),
            traces: vec![Trace::None; steps].into(),
            course: Course::Forward,
            signals: 0,
            quarantined: None,
        }
    }

    /// Folds a journal. Each record comes with the epoch of the owner that wrote it.
    ///
    /// # Errors
    /// [`JournalError`] naming the entry that cannot be.
    pub fn fold<'a>(records: impl IntoIterator<Item = (u64, &'a Record)>) -> Result<Self, JournalError> {
        let mut records = records.into_iter();
        let Some((epoch, Record::Planned(planned))) = records.next() else {
            return Err(JournalError::NoPlan);
        };
        let mut state = Self::begin(planned, epoch);
        for (epoch, record) in records {
            if epoch < state.epoch {
                return Err(state.contradiction(record, "it was written by an owner that had lost the run"));
            }
            state.epoch = epoch;
            state.apply(record)?;
        }
        Ok(state)
    }

    /// Applies one more record.
    ///
    /// # Errors
    /// [`JournalError`] when the record contradicts what came before. The state is then as it was.
    pub fn apply(&mut self, record: &Record) -> Result<(), JournalError> {
        if let Course::Ended(_) = self.course {
            return Err(self.contradiction(record, "the run had ended"));
        }
        match record {
            Record::Planned(_) => return Err(self.contradiction(record, "a run is planned once")),
            Record::Takeover { epoch, .. } => self.epoch = *epoch,
            Record::Intent(intent) => self.intend(record, intent)?,
            Record::Outcome { step, stamp, result } => self.resolve(record, *step, *stamp, result)?,
            Record::Sealed { step, .. } | Record::Quarantined { step, .. } => {
                if !matches!(self.steps.get(usize::from(step.0)), Some(StepState::Intended(_))) {
                    return Err(self.contradiction(record, "the step has no unknown effect"));
                }
                self.quarantined = matches!(record, Record::Quarantined { .. }).then_some(*step);
            }
            Record::Opened { step, at, deadline } => {
                let is_gate =
                    self.plan.step(*step).is_some_and(|step| matches!(step.action, Action::Gate(_)));
                if !is_gate || self.steps[usize::from(step.0)] != StepState::Pending {
                    return Err(self.contradiction(record, "the step is not a gate that waits to be opened"));
                }
                self.steps[usize::from(step.0)] =
                    StepState::Open { at: *at, deadline: *deadline, looks: 0, held: None };
            }
            Record::Sampled { step, .. } => match self.steps.get_mut(usize::from(step.0)) {
                Some(StepState::Open { looks, .. }) => *looks += 1,
                _ => return Err(self.contradiction(record, "the gate is not open")),
            },
            Record::Held { step, reason } => match self.steps.get_mut(usize::from(step.0)) {
                Some(StepState::Open { held, .. }) => *held = Some(reason.clone()),
                _ => return Err(self.contradiction(record, "the gate is not open")),
            },
            Record::Verdict { step, verdict } => {
                if !matches!(self.steps.get(usize::from(step.0)), Some(StepState::Open { .. })) {
                    return Err(self.contradiction(record, "the gate is not open"));
                }
                self.decide(*step, verdict);
            }
            Record::Signal { index, entry } => {
                self.signals = index + 1;
                self.accept(entry);
            }
            Record::Terminal(outcome) => self.course = Course::Ended(outcome.clone()),
        }
        self.entries += 1;
        Ok(())
    }

    fn intend(&mut self, record: &Record, intent: &Intent) -> Result<(), JournalError> {
        if self.plan.effect(intent.step).is_none() {
            return Err(self.contradiction(record, "the step has no effect"));
        }
        match &self.steps[usize::from(intent.step.0)] {
            StepState::Pending if intent.attempt == 1 => {}
            StepState::Waiting { intent: last, .. } if intent.attempt == last.attempt.saturating_add(1) => {}
            _ => return Err(self.contradiction(record, "the step is not due")),
        }
        let at = usize::from(intent.step.0);
        self.traces[at] = self.traces[at].before_another();
        self.steps[at] = StepState::Intended(intent.clone());
        Ok(())
    }

    fn resolve(
        &mut self,
        record: &Record,
        step: StepId,
        stamp: Stamp,
        result: &StepResult,
    ) -> Result<(), JournalError> {
        let Some(StepState::Intended(intent)) = self.steps.get(usize::from(step.0)) else {
            return Err(self.contradiction(record, "the step has no unknown effect"));
        };
        if intent.stamp != stamp {
            return Err(self.contradiction(record, "the stamp is not that of the last attempt"));
        }
        let intent = intent.clone();
        self.quarantined = None;
        self.steps[usize::from(step.0)] = match result {
            StepResult::Applied { .. } => StepState::Applied { stamp },
            StepResult::Retry { not_before, .. } => StepState::Waiting { intent, not_before: *not_before },
            StepResult::Failed { .. } => StepState::Failed,
            StepResult::Drifted { found } => StepState::Drifted { found: found.clone() },
        };
        if let StepResult::Retry { failure, .. } | StepResult::Failed { failure } = result {
            let trace = &mut self.traces[usize::from(step.0)];
            *trace = trace.after(failure);
        }
        match result {
            StepResult::Applied { .. } | StepResult::Retry { .. } => {}
            StepResult::Failed { failure } => self.fail(step, Cause::Step { step, failure: failure.clone() }),
            StepResult::Drifted { found } => self.drift(step, found),
        }
        Ok(())
    }

    /// A forward step failed: the plan says which way it goes from here. An undo step failed: a workload that cannot
    /// be put back needs a human, a reference that cannot be tidied up is only reported.
    pub(super) fn fail(&mut self, step: StepId, cause: Cause) {
        match self.plan.step(step).map(|step| step.on_failure) {
            Some(_) if self.course != Course::Forward => {}
            Some(OnFailure::RollBack) => self.course = Course::Back(cause),
            Some(OnFailure::Escalate) => self.course = Course::Escalating(cause),
            None if self.is_workload(step) => self.course = Course::Escalating(cause),
            None => {}
        }
    }

    /// Foreign state is not ours to overwrite. In a workload it ends the run; a reference that somebody moved fails
    /// its step like any refusal.
    fn drift(&mut self, step: StepId, found: &str) {
        let cause = Cause::Drift { step, found: found.to_owned() };
        if self.is_workload(step) {
            self.course = Course::Escalating(cause);
        } else {
            self.fail(step, cause);
        }
    }

    pub(super) fn is_workload(&self, step: StepId) -> bool {
        matches!(self.plan.effect(step), Some(Effect::Workload { .. }))
    }

    /// Only a higher stamp keeps a late copy of a refused request out. When no further attempt will bring one, the
    /// outcome of the last is unknown again, so that a seal does.
    pub(super) fn doubt_refusals(&mut self) {
        for step in &mut self.steps {
            if let StepState::Waiting { intent, .. } = step {
                *step = StepState::Intended(intent.clone());
            }
        }
    }

    /// Returns whether a step was begun whose failure no longer leads back.
    #[must_use]
    pub fn is_past_return(&self) -> bool {
        let begun = |step: &&Step| self.steps[usize::from(step.id.0)].is_begun();
        self.plan.steps().iter().filter(begun).any(|step| step.on_failure == OnFailure::Escalate)
    }

    /// Returns whether an effect on a workload was ever intended.
    #[must_use]
    pub fn touched_workload(&self) -> bool {
        self.plan
            .steps()
            .iter()
            .any(|step| self.is_workload(step.id) && self.steps[usize::from(step.id.0)].is_begun())
    }

    fn contradiction(&self, record: &Record, why: &'static str) -> JournalError {
        JournalError::Contradiction { entry: self.entries, kind: record.kind(), why }
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        &self.run
    }

    /// Its plan.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The epoch of its last owner.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many entries the journal has.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// What is known of each step, forward steps first.
    #[must_use]
    pub const fn steps(&self) -> &[StepState] {
        &self.steps
    }

    /// Which way it is going.
    #[must_use]
    pub const fn course(&self) -> &Course {
        &self.course
    }

    /// The phase of the step that it is at.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let done = |step: &&Step| self.steps[usize::from(step.id.0)].is_behind();
        match self.course {
            Course::Back(_) => Phase::RollingBack,
            Course::Ended(_) => Phase::Ended,
            Course::Forward | Course::Escalating(_) => {
                self.plan.steps().iter().find(|step| !done(step)).map_or(Phase::Ended, |step| step.phase)
            }
        }
    }

    /// How many signals were accepted.
    #[must_use]
    pub const fn signals(&self) -> u64 {
        self.signals
    }

    /// The target that cannot be sealed or read, if there is one.
    #[must_use]
    pub fn quarantined(&self) -> Option<Fenced> {
        self.plan.effect(self.quarantined?).map(Effect::fenced)
    }

    /// The step whose effect is unknown, with its intent.
    #[must_use]
    pub fn unknown(&self) -> Option<&Intent> {
        self.steps.iter().find_map(|step| match step {
            StepState::Intended(intent) => Some(intent),
            _ => None,
        })
    }
}
