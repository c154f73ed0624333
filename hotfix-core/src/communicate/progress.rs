//! Progress of a run as typed events with a durable cursor.

use std::fmt;

use crate::execute::{Failure, Outcome, Record, Run, StepResult};
use crate::model::{Phase, Reading, Sample, Timestamp, Verdict, WorkerName};
use crate::plan::StepId;
use crate::port::SignalEntry;

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The journal entry it stands for, or the last one before it if it stands for none: ask for everything after it to
    /// go on where you were.
    pub seq: u64,
    /// When it was committed, or seen.
    pub at: Timestamp,
    /// What happened.
    pub kind: ProgressKind,
}

/// What can happen in a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ProgressKind {
    /// The run was opened.
    Started {
        /// How many forward steps it has.
        steps: usize,
    },
    /// Another worker drives it from here on.
    TakenOver {
        /// Who.
        worker: WorkerName,
    },
    /// A step begins, or begins another attempt.
    StepStarted {
        /// The step.
        step: StepId,
        /// Its phase.
        phase: Phase,
        /// What it does.
        what: String,
        /// Which attempt, from 1.
        attempt: u8,
    },
    /// A step is done.
    StepDone {
        /// The step.
        step: StepId,
        /// What it left.
        receipt: String,
    },
    /// A step did not work and is tried again.
    StepRetried {
        /// The step.
        step: StepId,
        /// Why.
        failure: Failure,
    },
    /// A step failed for good.
    StepFailed {
        /// The step.
        step: StepId,
        /// Why.
        why: String,
    },
    /// The outcome of a step was unknown and its target is sealed now.
    Sealed {
        /// The step.
        step: StepId,
    },
    /// One more instance of what was staged can take traffic. Told once of each, also when several are ready at once.
    ///
    /// It stands for no journal entry: only those hear of it who follow the run in the process that drives it.
    InstanceReady {
        /// The gate that saw it.
        step: StepId,
        /// Which it is, from 1.
        instance: u16,
        /// How many there are to be in the end.
        of: u16,
    },
    /// One look at the metrics.
    Looked {
        /// The gate.
        step: StepId,
        /// What was seen.
        sample: Sample,
    },
    /// A gate was decided.
    Decided {
        /// The gate.
        step: StepId,
        /// How.
        verdict: Verdict,
    },
    /// Somebody said something.
    Signalled(SignalEntry),
    /// A human should look.
    Attention {
        /// The step.
        step: StepId,
        /// Why.
        why: String,
    },
    /// The run ended.
    Ended(Outcome),
}

impl Progress {
    /// Describes a committed record. `run` is the state it led to.
    #[must_use]
    pub fn of(seq: u64, at: Timestamp, record: &Record, run: &Run) -> Self {
        Self { seq, at, kind: ProgressKind::of(record, run) }
    }
}

impl ProgressKind {
    fn of(record: &Record, run: &Run) -> Self {
        match record {
            Record::Planned(planned) => Self::Started { steps: planned.plan.steps().len() },
            Record::Takeover { worker, .. } => Self::TakenOver { worker: worker.clone() },
            Record::Intent(intent) => Self::started(run, intent.step, intent.attempt),
            Record::Opened { step, .. } => Self::started(run, *step, 1),
            Record::Outcome { step, result, .. } => match result {
                StepResult::Applied { receipt } => Self::StepDone { step: *step, receipt: receipt.0.clone() },
                StepResult::Retry { failure, .. } => {
                    Self::StepRetried { step: *step, failure: failure.clone() }
                }
                StepResult::Failed { failure } => Self::StepFailed { step: *step, why: failure.to_string() },
                StepResult::Drifted { found } => {
                    Self::StepFailed { step: *step, why: format!("met something foreign: {found}") }
                }
            },
            Record::Sealed { step, .. } => Self::Sealed { step: *step },
            Record::Sampled { step, sample } => Self::Looked { step: *step, sample: sample.clone() },
            Record::Verdict { step, verdict } => Self::Decided { step: *step, verdict: verdict.clone() },
            Record::Signal { entry, .. } => Self::Signalled(entry.clone()),
            Record::Held { step, reason } => Self::Attention { step: *step, why: reason.clone() },
            Record::Quarantined { step, target, cause } => {
                Self::Attention { step: *step, why: format!("{target} cannot be reached: {cause}") }
            }
            Record::Terminal(outcome) => Self::Ended(outcome.clone()),
        }
    }

    fn started(run: &Run, step: StepId, attempt: u8) -> Self {
        let plan = run.plan();
        let (phase, what) = match (plan.step(step), plan.undo(step)) {
            (Some(step), _) => (step.phase, step.action.to_string()),
            (None, Some(undo)) => (Phase::RollingBack, undo.effect.to_string()),
            (None, None) => (Phase::Ended, String::new()),
        };
        Self::StepStarted { step, phase, what, attempt }
    }
}

impl fmt::Display for ProgressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { steps } => write!(f, "started: {steps} steps"),
            Self::TakenOver { worker } => write!(f, "taken over by {worker}"),
            Self::StepStarted { step, what, attempt: 1, .. } => write!(f, "step {step}: {what}"),
            Self::StepStarted { step, what, attempt, .. } => {
                write!(f, "step {step}: {what} (attempt {attempt})")
            }
            Self::StepDone { step, receipt } => write!(f, "step {step}: done, {receipt}"),
            Self::StepRetried { step, failure } => write!(f, "step {step}: {failure}; trying again"),
            Self::StepFailed { step, why } => write!(f, "step {step}: failed, {why}"),
            Self::Sealed { step } => write!(f, "step {step}: outcome unknown, target sealed, asking it"),
            Self::InstanceReady { step, instance, of } => {
                write!(f, "step {step}: instance {instance}/{of} healthy")
            }
            Self::Looked { step, sample } => {
                write!(f, "step {step}: canary {}, baseline {}", Read(&sample.canary), Read(&sample.baseline))
            }
            Self::Decided { step, verdict } => write!(f, "step {step}: {verdict}"),
            Self::Signalled(entry) => write!(f, "{} says: {}", entry.by, entry.signal),
            Self::Attention { step, why } => write!(f, "step {step}: a human should look: {why}"),
            Self::Ended(outcome) => outcome.fmt(f),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at.format("%H:%M:%S"), self.kind)
    }
}

struct Read<'a>(&'a Reading);

impl fmt::Display for Read<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reading::Counts(counts) => counts.fmt(f),
            Reading::Absent => f.write_str("no data"),
            Reading::Missing(why) => write!(f, "unknown ({why})"),
        }
    }
}
