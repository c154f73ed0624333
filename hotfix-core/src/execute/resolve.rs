//! Unknown outcomes: seal, probe, decide.
//!
//! An effect whose outcome is unknown is never sent again blindly, and a target that says "not applied" is believed
//! only after its fence was raised above the attempt: from then on no copy of the request can be applied. A target
//! that cannot be sealed or read keeps its claim and is tried for as long as it takes.

use super::machine::{Doing, Machine};
use super::{Command, Course, Failure, Intent, Known, Record, Run, StepResult, StepState, Stop};
use crate::model::{Effect, Fenced, Period, Stamp, Timestamp};
use crate::plan::StepId;
use crate::port::{Conflict, Probe, Rejection, Seal};

/// The longest that a target can ask a step to wait: whoever says an hour would let the step run out of its time.
const LONGEST_REST: Period = Period::from_secs(60);
/// The same for an undo, while which customers are served what is to be taken back.
const LONGEST_REST_OF_UNDO: Period = Period::from_secs(5);

/// An attempt whose outcome is being found out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unknown {
    intent: Intent,
    /// What the outcome is if it turns out that nothing was applied.
    failure: Failure,
    /// Whether the fence was raised above the attempt in this epoch.
    sealed: bool,
    /// How often the target could not be reached.
    tries: u8,
    outage: Outage,
    /// What was seen last.
    seen: String,
}

/// For how long a target could not be reached while an attempt was being found out about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outage {
    /// It answered.
    None,
    /// For a while.
    Short,
    /// Beyond the deadline of the step, of which somebody was told.
    Long,
}

impl Unknown {
    pub(super) fn because(intent: Intent, failure: Failure) -> Self {
        Self { intent, failure, sealed: false, tries: 0, outage: Outage::None, seen: String::new() }
    }

    pub(super) fn interrupted(intent: Intent) -> Self {
        Self::because(intent, Failure::Interrupted)
    }
}

impl Machine {
    /// Begins to find out what became of an attempt.
    pub(super) fn resolve(&mut self, unknown: Unknown) -> Vec<Command> {
        self.unknown = Some(unknown);
        self.seal()
    }

    /// Goes on after a pause.
    pub(super) fn resume_resolving(&mut self) -> Vec<Command> {
        if self.unknown.as_ref().is_some_and(|unknown| unknown.sealed) { self.probe() } else { self.seal() }
    }

    fn seal(&mut self) -> Vec<Command> {
        let Some(target) = self.unknown_target() else {
            return self.stop(Stop::Corrupt);
        };
        self.stamp = self.stamp.next();
        self.doing = Doing::Sealing(self.stamp);
        vec![Command::Seal { target, stamp: self.stamp }]
    }

    pub(super) fn sealed(&mut self, stamp: Stamp, seal: Seal, now: Timestamp) -> Vec<Command> {
        if self.doing != Doing::Sealing(stamp) {
            return Vec::new();
        }
        match seal {
            Seal::Sealed(_) => {
                let (Some(unknown), Some(target)) = (&mut self.unknown, self.state.target_of_unknown())
                else {
                    return self.stop(Stop::Corrupt);
                };
                unknown.sealed = true;
                let step = unknown.intent.step;
                self.append(Record::Sealed { step, target, stamp })
            }
            Seal::Overtaken { current } if current.epoch > stamp.epoch => self.stop(Stop::Lost),
            Seal::Overtaken { current } => {
                // One of our own earlier requests came in meanwhile: go above it.
                self.stamp = self.stamp.max(current);
                self.seal()
            }
            Seal::Unreachable { cause } => self.unreachable(cause, now),
        }
    }

    pub(super) fn probe(&mut self) -> Vec<Command> {
        let Some(target) = self.unknown_target() else {
            return self.stop(Stop::Corrupt);
        };
        let Some(Unknown { intent, .. }) = &self.unknown else {
            return self.stop(Stop::Corrupt);
        };
        let (step, key) = (intent.step, intent.key.clone());
        self.doing = Doing::Probing;
        vec![Command::Probe { step, target, key }]
    }

    pub(super) fn probed(&mut self, step: StepId, probe: Probe, now: Timestamp) -> Vec<Command> {
        let Some(Unknown { intent, failure, sealed: true, outage, .. }) = &self.unknown else {
            return Vec::new();
        };
        if self.doing != Doing::Probing || intent.step != step {
            return Vec::new();
        }
        let (intent, failure, outage) = (intent.clone(), failure.clone(), *outage);
        match probe {
            Probe::Applied(receipt) => self.outcome(&intent, StepResult::Applied { receipt }),
            Probe::NotApplied => {
                let retry = self.state.retry(&intent, &failure, outage, now);
                self.outcome(&intent, retry.unwrap_or(StepResult::Failed { failure }))
            }
            Probe::Drifted { found } => self.outcome(&intent, StepResult::Drifted { found }),
            Probe::Unreadable { cause } => self.unreachable(cause, now),
        }
    }

    /// Waits before the next try; beyond the deadline of the step, says so loudly once and goes on trying.
    fn unreachable(&mut self, cause: String, now: Timestamp) -> Vec<Command> {
        let (Some(unknown), Some(target)) = (&mut self.unknown, self.state.target_of_unknown()) else {
            return self.stop(Stop::Corrupt);
        };
        unknown.tries = unknown.tries.saturating_add(1);
        let is_late = now >= unknown.intent.deadline;
        unknown.outage = unknown.outage.max(if is_late { Outage::Long } else { Outage::Short });
        unknown.seen.clone_from(&cause);
        let step = unknown.intent.step;
        if is_late && self.state.quarantined.is_none() {
            return self.append(Record::Quarantined { step, target, cause });
        }
        self.pause(now)
    }

    pub(super) fn pause(&mut self, now: Timestamp) -> Vec<Command> {
        let execution = self.state.plan.execution();
        let wait = if self.state.quarantined.is_some() {
            execution.quarantine_retry
        } else {
            backoff(
                execution.backoff,
                execution.backoff_limit,
                self.unknown.as_ref().map_or(1, |unknown| unknown.tries),
            )
        };
        let until = now + wait.to_delta();
        self.doing = Doing::Pausing { until };
        vec![Command::WakeAt(until)]
    }

    fn unknown_target(&self) -> Option<Fenced> {
        self.unknown.as_ref().and(self.state.target_of_unknown())
    }
}

impl Run {
    fn target_of_unknown(&self) -> Option<Fenced> {
        self.plan.effect(self.unknown()?.step).map(Effect::fenced)
    }

    /// Returns the next turn of an attempt that was surely not applied, if it gets one.
    pub(super) fn retry(
        &self,
        intent: &Intent,
        failure: &Failure,
        outage: Outage,
        now: Timestamp,
    ) -> Option<StepResult> {
        let undo = self.plan.undo(intent.step).is_some();
        let asked = match failure {
            // What is refused for good going forward may still succeed going back: the alternative is a human.
            Failure::Rejected(Rejection::Permanent { .. }) | Failure::Conflict(Conflict::Drifted { .. })
                if !undo =>
            {
                return None;
            }
            Failure::Rejected(Rejection::Busy { retry_after, .. }) => *retry_after,
            _ => None,
        };
        let execution = self.plan.execution();
        let wait = backoff(execution.backoff, execution.backoff_limit, intent.attempt);
        let longest = if undo { LONGEST_REST_OF_UNDO } else { LONGEST_REST };
        let not_before = now + asked.map_or(wait, |asked| asked.min(longest).max(wait)).to_delta();
        let goes_on = if undo {
            undo_goes_on(intent, failure, outage, not_before, execution.attempts)
        } else {
            self.course == Course::Forward && intent.attempt < execution.attempts && now < intent.deadline
        };
        goes_on.then(|| StepResult::Retry { failure: failure.clone(), not_before })
    }

    /// Returns what is known of every target, for a human who takes over.
    pub(super) fn known(&self) -> Vec<Known> {
        let all = (0..self.steps.len()).filter_map(|step| u16::try_from(step).ok()).map(StepId);
        let at = |target: &Fenced, step: &StepId| {
            self.plan.effect(*step).is_some_and(|effect| effect.fenced() == *target)
        };
        let known = |target: Fenced| {
            let steps = || all.clone().filter(|step| at(&target, step));
            let state = |step: StepId| &self.steps[usize::from(step.0)];
            let last_applied = steps().rfind(|step| matches!(state(*step), StepState::Applied { .. }));
            let found = steps().find_map(|step| match state(step) {
                StepState::Drifted { found } => Some(found.clone()),
                _ => None,
            });
            Known { target, last_applied, found }
        };
        self.plan.claims().into_iter().map(known).collect()
    }
}

/// Returns whether an undo is tried again. What a target that is busy or away, or a driver that died, took from its
/// time and its attempts does not count: a human who is called would only do the same again.
fn undo_goes_on(
    intent: &Intent,
    failure: &Failure,
    outage: Outage,
    not_before: Timestamp,
    attempts: u8,
) -> bool {
    let interrupted = *failure == Failure::Interrupted;
    let busy = matches!(failure, Failure::Rejected(Rejection::Busy { .. }));
    let in_time = not_before < intent.deadline || outage == Outage::Long;
    let seldom = intent.attempt < attempts || busy || outage != Outage::None;
    interrupted || in_time && seldom
}

/// The wait after the given attempt: doubled for each one, up to the limit.
fn backoff(base: Period, limit: Period, attempt: u8) -> Period {
    let factor = 1_u64 << attempt.saturating_sub(1).min(20);
    Period::from_millis(base.as_millis().saturating_mul(factor)).min(limit)
}
