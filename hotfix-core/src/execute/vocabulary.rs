//! The two vocabularies of the machine: what it is told and what it asks for.

use super::Record;
use crate::model::{Fenced, IdempotencyKey, Sample, Stamp, Timestamp, Verdict, WorkerName};
use crate::plan::StepId;
use crate::port::{Probe, Reply, Seal, SignalEntry};

/// Something that happened.
///
/// There is no event for anything a notifier does: no transition can depend on it.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run was opened by this worker just now, or its journal was read after a takeover.
    Resumed {
        /// Who drives the run from here on.
        worker: WorkerName,
        /// The epoch of the lease.
        epoch: u64,
    },
    /// The record of the last [`Command::Append`] is committed.
    Appended,
    /// Somebody else owns the run.
    LeaseLost,
    /// The answer to a [`Command::Perform`].
    Replied {
        /// Which attempt.
        stamp: Stamp,
        /// The answer.
        reply: Reply,
    },
    /// The answer to a [`Command::Seal`].
    Sealed {
        /// Which seal.
        stamp: Stamp,
        /// The answer.
        seal: Seal,
    },
    /// The answer to a [`Command::Probe`].
    Probed {
        /// The step whose key was looked for.
        step: StepId,
        /// The answer.
        probe: Probe,
    },
    /// One look at the metrics of an open gate.
    Sampled {
        /// The gate.
        step: StepId,
        /// What was seen.
        sample: Sample,
    },
    /// The judge has decided an open gate.
    Decided {
        /// The gate.
        step: StepId,
        /// The verdict. Whatever is not a pass fails the step.
        verdict: Verdict,
    },
    /// The judge cannot decide an open gate, and waiting alone will not help.
    Stuck {
        /// The gate.
        step: StepId,
        /// Why.
        reason: String,
    },
    /// Time has passed: an armed deadline may have been reached. Late, early and repeated ones are harmless.
    Tick,
    /// Somebody said something.
    Signalled {
        /// Its place among the signals of the run.
        index: u64,
        /// What, by whom and when.
        entry: SignalEntry,
    },
}

/// Something to do. At most one of them waits for an answer at any time.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Commit a record, then answer [`Event::Appended`] or [`Event::LeaseLost`].
    Append(Box<Record>),
    /// Send the effect of a step, then answer [`Event::Replied`].
    Perform {
        /// The step.
        step: StepId,
        /// The stamp.
        stamp: Stamp,
        /// The key.
        key: IdempotencyKey,
        /// Until when.
        until: Timestamp,
    },
    /// Raise a fence, then answer [`Event::Sealed`].
    Seal {
        /// Of what.
        target: Fenced,
        /// To this.
        stamp: Stamp,
    },
    /// Look for a key, then answer [`Event::Probed`].
    Probe {
        /// The step it belongs to.
        step: StepId,
        /// Where.
        target: Fenced,
        /// The key.
        key: IdempotencyKey,
    },
    /// Watch the workload of an open gate and look at its metrics. Answer with [`Event::Sampled`] for each look, and
    /// with [`Event::Decided`] or [`Event::Stuck`] when all journaled samples together say so, until another command
    /// comes. Asked again after each commit: a decision that was reached is then stated again.
    Watch {
        /// The gate.
        step: StepId,
    },
    /// Send [`Event::Tick`] at this time, or soon after.
    WakeAt(Timestamp),
    /// Stop driving: the run ended, or somebody else owns it.
    Stop(Stop),
}

/// Why a driver stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The terminal record is committed.
    Ended,
    /// Somebody else owns the run.
    Lost,
    /// The record that was appended contradicts the journal: the journal was changed by somebody else, or there is a
    /// defect. Nothing more is sent.
    Corrupt,
}
