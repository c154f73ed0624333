//! Journal records as the checks read them.

use hotfix_core::execute::{Failure, Known, Outcome, Record, StepResult};
use hotfix_core::model::VerdictOutcome;
use hotfix_core::plan::StepId;
use hotfix_core::port::{Conflict, Signal};

use super::scenario::Scenario;
use super::world::{Ending, Mark, TARGETS};

/// What a record says, as far as an invariant speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Intent {
        step: u8,
        mark: Mark,
    },
    Applied {
        step: u8,
    },
    NotApplied {
        step: u8,
        mark: Mark,
        because: Because,
    },
    Drifted {
        step: u8,
    },
    Sealed {
        target: u8,
        mark: Mark,
    },
    Passed {
        gate: u8,
    },
    Refused {
        gate: u8,
    },
    Hastened,
    Terminal(End),
    /// Something no invariant speaks of.
    Other,
}

/// Why an attempt is said not to have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// The target refused it, and another attempt under a higher stamp follows.
    RefusedForNow,
    /// The target refused it, and no other attempt follows.
    Refused,
    /// Nobody knew what became of it, until a seal and a probe told.
    Unknown,
}

/// What a terminal record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) ending: Ending,
    /// The undo steps that are said not to have been done, by bit.
    pub(super) left: u32,
    /// What is said of each target.
    pub(super) known: [LastApplied; TARGETS],
}

/// What an escalation says of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastApplied {
    Unsaid,
    Nothing,
    Step(u8),
}

impl Entry {
    pub(super) fn of(scenario: &Scenario, record: &Record) -> Self {
        match record {
            Record::Intent(intent) => {
                Self::Intent { step: number(intent.step), mark: Mark::of(intent.stamp) }
            }
            Record::Outcome { step, stamp, result } => outcome(number(*step), Mark::of(*stamp), result),
            Record::Sealed { target, stamp, .. } => {
                Self::Sealed { target: scenario.target(target), mark: Mark::of(*stamp) }
            }
            Record::Verdict { step, verdict } if verdict.outcome == VerdictOutcome::Pass => {
                Self::Passed { gate: number(*step) }
            }
            Record::Verdict { step, .. } => Self::Refused { gate: number(*step) },
            Record::Terminal(outcome) => Self::Terminal(End::of(scenario, outcome)),
            Record::Signal { entry, .. } if matches!(entry.signal, Signal::Hasten { .. }) => Self::Hastened,
            _ => Self::Other,
        }
    }
}

fn outcome(step: u8, mark: Mark, result: &StepResult) -> Entry {
    match result {
        StepResult::Applied { .. } => Entry::Applied { step },
        StepResult::Drifted { .. } => Entry::Drifted { step },
        StepResult::Retry { failure: Failure::Rejected(_), .. } => {
            Entry::NotApplied { step, mark, because: Because::RefusedForNow }
        }
        StepResult::Failed { failure: Failure::Rejected(_) }
        | StepResult::Retry { failure: Failure::Conflict(Conflict::Drifted { .. }), .. }
        | StepResult::Failed { failure: Failure::Conflict(Conflict::Drifted { .. }) } => {
            Entry::NotApplied { step, mark, because: Because::Refused }
        }
        StepResult::Retry { .. } | StepResult::Failed { .. } => {
            Entry::NotApplied { step, mark, because: Because::Unknown }
        }
    }
}

impl End {
    fn of(scenario: &Scenario, outcome: &Outcome) -> Self {
        let (ending, left, known) = match outcome {
            Outcome::Succeeded { .. } => (Ending::Succeeded, &[][..], &[][..]),
            Outcome::RolledBack { left, .. } => (Ending::RolledBack, &left[..], &[][..]),
            Outcome::Cancelled { left, .. } => (Ending::Cancelled, &left[..], &[][..]),
            Outcome::Escalated { known, .. } => (Ending::Escalated, &[][..], &known[..]),
        };
        let mut end = Self {
            ending,
            left: left.iter().fold(0, |all, step| all | 1 << step.0),
            known: [LastApplied::Unsaid; TARGETS],
        };
        for Known { target, last_applied, .. } in known {
            let said = last_applied.map_or(LastApplied::Nothing, |step| LastApplied::Step(number(step)));
            end.known[usize::from(scenario.target(target))] = said;
        }
        end
    }
}

/// Returns the position of a step in one byte.
pub(super) fn number(step: StepId) -> u8 {
    u8::try_from(step.0).expect("explored plans are short")
}
