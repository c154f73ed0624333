//! The machine: `step(event, now) -> commands`, pure and total.
//!
//! It is a durable state (a fold over the journal) and one thing that is being done. A durable change happens only
//! when its record is committed; everything else is forgotten in a crash without harm, because a fresh machine on the
//! same journal asks the targets again.

use super::resolve::{Outage, Unknown};
use super::{
    Cause, Command, Course, Event, Failure, Intent, Outcome, Record, Run, StepResult, StepState, Stop,
};
use crate::model::{IdempotencyKey, Period, Stamp, Timestamp, Verdict, WorkerName};
use crate::plan::{Action, StepId};
use crate::port::{Ambiguity, Reply, SignalEntry};

/// The state machine of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    pub(super) state: Run,
    /// The highest stamp used in this epoch.
    pub(super) stamp: Stamp,
    pub(super) doing: Doing,
    /// The attempt whose outcome is being found out.
    pub(super) unknown: Option<Unknown>,
    /// Signals that came while something else was being done, in order.
    pub(super) signals: Vec<(u64, SignalEntry)>,
}

/// The one thing that is being done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Doing {
    /// Not started, or stopped.
    Nothing,
    /// A record is being committed.
    Appending(Box<Record>),
    /// An effect was sent.
    Performing(Intent),
    /// A fence is being raised.
    Sealing(Stamp),
    /// A key is being looked for.
    Probing,
    /// A target could not be sealed or read; it is tried again later.
    Pausing { until: Timestamp },
    /// A failed attempt is waiting for its next turn.
    Backoff { until: Timestamp },
    /// A gate is open.
    Watching { step: StepId, deadline: Timestamp },
}

impl Machine {
    /// Builds the machine of a run from its durable state. It does nothing before [`Event::Resumed`].
    #[must_use]
    pub const fn new(state: Run) -> Self {
        Self { state, stamp: Stamp::ZERO, doing: Doing::Nothing, unknown: None, signals: Vec::new() }
    }

    /// Returns the durable state.
    #[must_use]
    pub const fn state(&self) -> &Run {
        &self.state
    }

    /// Takes one event and returns what to do.
    ///
    /// Total: an event that does not fit (a late answer, a repeated tick) changes nothing.
    #[must_use]
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Command> {
        match event {
            Event::Resumed { worker, epoch } => self.resume(worker, epoch, now),
            Event::LeaseLost => self.stop(Stop::Lost),
            Event::Appended => self.appended(now),
            Event::Replied { stamp, reply } => self.replied(stamp, reply, now),
            Event::Sealed { stamp, seal } => self.sealed(stamp, seal, now),
            Event::Probed { step, probe } => self.probed(step, probe, now),
            Event::Sampled { step, sample } => self.at_gate(step, Record::Sampled { step, sample }),
            Event::Decided { step, verdict } => self.at_gate(step, Record::Verdict { step, verdict }),
            Event::Stuck { step, reason } => self.stuck(step, reason),
            Event::Tick => self.tick(now),
            Event::Signalled { index, entry } => self.signalled(index, entry, now),
        }
    }

    /// Begins, once: the stamps of an epoch are not given out a second time.
    fn resume(&mut self, worker: WorkerName, epoch: u64, now: Timestamp) -> Vec<Command> {
        if self.doing != Doing::Nothing || self.stamp != Stamp::ZERO {
            return Vec::new();
        }
        if let Course::Ended(_) = self.state.course {
            return self.stop(Stop::Ended);
        }
        self.stamp = Stamp::new(epoch, 0);
        if self.state.epoch == epoch {
            self.next(now)
        } else {
            self.append(Record::Takeover { epoch, worker })
        }
    }

    fn appended(&mut self, now: Timestamp) -> Vec<Command> {
        let Doing::Appending(record) = std::mem::replace(&mut self.doing, Doing::Nothing) else {
            return Vec::new();
        };
        if self.state.apply(&record).is_err() {
            return self.stop(Stop::Corrupt);
        }
        match *record {
            Record::Intent(intent) => self.perform(intent),
            Record::Sealed { .. } => self.probe(),
            Record::Quarantined { .. } => self.pause(now),
            _ => self.next(now),
        }
    }

    /// Decides what to do next from the durable state alone.
    pub(super) fn next(&mut self, now: Timestamp) -> Vec<Command> {
        if let Course::Ended(_) = self.state.course {
            return self.stop(Stop::Ended);
        }
        if let Some(intent) = self.state.unknown().cloned() {
            return self.resolve(Unknown::interrupted(intent));
        }
        if let Some((index, entry)) = self.take_signal() {
            return self.append(Record::Signal { index, entry });
        }
        match self.state.course.clone() {
            Course::Forward => self.forward(now),
            Course::Back(cause) => self.back(cause, now),
            Course::Escalating(cause) => {
                let known = self.state.known();
                self.append(Record::Terminal(Outcome::Escalated { cause, known }))
            }
            Course::Ended(_) => self.stop(Stop::Ended),
        }
    }

    fn forward(&mut self, now: Timestamp) -> Vec<Command> {
        let plan = std::sync::Arc::clone(&self.state.plan);
        for step in plan.steps() {
            match (&step.action, &self.state.steps[usize::from(step.id.0)]) {
                (_, state) if state.is_behind() => {}
                (Action::Gate(_), StepState::Open { deadline, .. }) => {
                    // A clock that was set back must not keep the gate open for longer than planned.
                    let deadline = (*deadline).min(now + step.deadline.to_delta());
                    return self.watch(step.id, deadline);
                }
                (Action::Gate(_), _) => {
                    let deadline = now + step.deadline.to_delta();
                    return self.append(Record::Opened { step: step.id, at: now, deadline });
                }
                (Action::Effect(_), state) => {
                    let state = state.clone();
                    return self.intend(step.id, &state, now);
                }
            }
        }
        self.append(Record::Terminal(Outcome::Succeeded { release: plan.release().cloned() }))
    }

    fn back(&mut self, cause: Cause, now: Timestamp) -> Vec<Command> {
        let plan = std::sync::Arc::clone(&self.state.plan);
        let mut left = Vec::new();
        for undo in plan.rollback().iter().filter(|undo| self.state.is_due(undo)) {
            match &self.state.steps[usize::from(undo.id.0)] {
                StepState::Applied { .. } => {}
                StepState::Failed | StepState::Drifted { .. } => left.push(undo.id),
                state => {
                    let state = state.clone();
                    return self.intend(undo.id, &state, now);
                }
            }
        }
        self.append(Record::Terminal(match cause {
            Cause::Cancelled { by, reason } if !self.state.touched_workload() => {
                Outcome::Cancelled { by, reason, left }
            }
            cause => Outcome::RolledBack { cause, left },
        }))
    }

    /// Begins an attempt, or waits for its turn.
    fn intend(&mut self, step: StepId, state: &StepState, now: Timestamp) -> Vec<Command> {
        let (attempt, deadline) = match state {
            StepState::Waiting { not_before, .. } if now < *not_before => {
                self.doing = Doing::Backoff { until: *not_before };
                return vec![Command::WakeAt(*not_before)];
            }
            StepState::Waiting { intent, .. } if now < intent.deadline || !self.is_undo(step) => {
                (intent.attempt.saturating_add(1), intent.deadline)
            }
            // The turn of an undo is never put off beyond its time. So an outage took that, and it gets it back.
            StepState::Waiting { intent, .. } => (intent.attempt.saturating_add(1), now + self.budget(step)),
            _ => (1, now + self.budget(step)),
        };
        let until = deadline.min(now + self.state.plan.execution().attempt_deadline.to_delta());
        let key = IdempotencyKey::of(&self.state.run, step.0);
        self.stamp = self.stamp.next();
        self.append(Record::Intent(Intent { step, stamp: self.stamp, key, attempt, until, deadline }))
    }

    fn is_undo(&self, step: StepId) -> bool {
        self.state.plan.undo(step).is_some()
    }

    fn budget(&self, step: StepId) -> chrono::TimeDelta {
        let plan = &self.state.plan;
        let forward = plan.step(step).map(|step| step.deadline);
        forward
            .or_else(|| plan.undo(step).map(|undo| undo.deadline))
            .map_or_else(Default::default, Period::to_delta)
    }

    fn perform(&mut self, intent: Intent) -> Vec<Command> {
        let Intent { step, stamp, key, until, .. } = intent.clone();
        self.doing = Doing::Performing(intent);
        vec![Command::WakeAt(until), Command::Perform { step, stamp, key, until }]
    }

    fn replied(&mut self, stamp: Stamp, reply: Reply, now: Timestamp) -> Vec<Command> {
        let Doing::Performing(intent) = &self.doing else {
            return Vec::new();
        };
        if intent.stamp != stamp {
            return Vec::new();
        }
        let intent = intent.clone();
        match reply {
            Reply::Applied(receipt) => self.outcome(&intent, StepResult::Applied { receipt }),
            Reply::Rejected(rejection) => self.refused(intent, Failure::Rejected(rejection), now),
            Reply::Conflict(conflict) => self.resolve(Unknown::because(intent, Failure::Conflict(conflict))),
            Reply::Ambiguous(ambiguity) => {
                self.resolve(Unknown::because(intent, Failure::Unanswered(ambiguity)))
            }
        }
    }

    /// A request that was surely refused is tried again under a higher stamp, which keeps a late copy of it out. When
    /// it is not tried again, only a seal keeps such a copy out for ever.
    fn refused(&mut self, intent: Intent, failure: Failure, now: Timestamp) -> Vec<Command> {
        match self.state.retry(&intent, &failure, Outage::None, now) {
            Some(retry) => self.outcome(&intent, retry),
            None => self.resolve(Unknown::because(intent, failure)),
        }
    }

    fn watch(&mut self, step: StepId, deadline: Timestamp) -> Vec<Command> {
        self.doing = Doing::Watching { step, deadline };
        vec![Command::WakeAt(deadline), Command::Watch { step }]
    }

    /// Commits what was seen at the gate that is open. Anything said of another gate is late.
    fn at_gate(&mut self, step: StepId, record: Record) -> Vec<Command> {
        match self.doing {
            Doing::Watching { step: open, .. } if open == step => self.append(record),
            _ => Vec::new(),
        }
    }

    fn stuck(&mut self, step: StepId, reason: String) -> Vec<Command> {
        match self.state.steps.get(usize::from(step.0)) {
            Some(StepState::Open { held: None, .. }) => self.at_gate(step, Record::Held { step, reason }),
            _ => Vec::new(),
        }
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Command> {
        match &self.doing {
            Doing::Performing(intent) if now >= intent.until => {
                let timeout = Failure::Unanswered(Ambiguity::Timeout);
                self.resolve(Unknown::because(intent.clone(), timeout))
            }
            Doing::Pausing { until } if now >= *until => self.resume_resolving(),
            Doing::Backoff { until } if now >= *until => self.next(now),
            Doing::Watching { step, deadline } if now >= *deadline => {
                let (step, verdict) = (*step, Verdict::expired(*deadline));
                self.append(Record::Verdict { step, verdict })
            }
            _ => Vec::new(),
        }
    }

    /// Takes a signal at once where nothing is under way, else as soon as the journal is definite.
    fn signalled(&mut self, index: u64, entry: SignalEntry, now: Timestamp) -> Vec<Command> {
        let committing =
            matches!(&self.doing, Doing::Appending(record) if matches!(**record, Record::Signal { .. }));
        if index != self.state.signals + u64::from(committing) + self.signals.len() as u64 {
            return Vec::new();
        }
        self.signals.push((index, entry));
        match self.doing {
            Doing::Watching { .. } | Doing::Backoff { .. } => self.next(now),
            _ => Vec::new(),
        }
    }

    fn take_signal(&mut self) -> Option<(u64, SignalEntry)> {
        if self.signals.is_empty() { None } else { Some(self.signals.remove(0)) }
    }

    pub(super) fn append(&mut self, record: Record) -> Vec<Command> {
        self.doing = Doing::Appending(Box::new(record.clone()));
        vec![Command::Append(Box::new(record))]
    }

    pub(super) fn outcome(&mut self, intent: &Intent, result: StepResult) -> Vec<Command> {
        self.unknown = None;
        self.append(Record::Outcome { step: intent.step, stamp: intent.stamp, result })
    }

    pub(super) fn stop(&mut self, why: Stop) -> Vec<Command> {
        self.doing = Doing::Nothing;
        vec![Command::Stop(why)]
    }
}
