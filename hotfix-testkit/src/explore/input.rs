//! What the world can say to a machine, packed, and the production event it stands for.

use hotfix_core::execute::Event;
use hotfix_core::model::{Counts, Sample, Timestamp, Verdict, VerdictOutcome};
use hotfix_core::plan::StepId;
use hotfix_core::port::{Conflict, Probe, Receipt, Rejection, Reply, Seal, Sealed, Signal, SignalEntry};

use super::action::Word;
use super::machines::Pending;
use super::world::Mark;

/// When something is told. Clocks only decide how soon something is tried, so three times are all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum When {
    /// Before any deadline.
    Early,
    /// After every deadline of the plan.
    Late,
}

impl When {
    pub(super) const BOTH: [Self; 2] = [Self::Early, Self::Late];

    const fn time(self) -> Timestamp {
        match self {
            Self::Early => Timestamp::UNIX_EPOCH,
            Self::Late => far(1),
        }
    }
}

/// After everything that a machine waits for, whenever it began to wait.
const fn far(years: i64) -> Timestamp {
    match Timestamp::from_timestamp(years * 366 * 86_400, 0) {
        Some(time) => time,
        None => Timestamp::UNIX_EPOCH,
    }
}

/// After everything that begins when time passes: an undo that an outage kept from its time is given it anew then.
pub(super) const MUCH_LATER: Timestamp = far(5);

/// Something that a machine is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Input {
    Committed,
    Lost,
    Applied,
    Busy,
    Permanent,
    Fenced(Mark),
    Drifted,
    Sealed,
    Overtaken(Mark),
    Unreachable(When),
    Found,
    NotFound(When),
    Foreign,
    Unreadable(When),
    Pass,
    Fail,
    Stuck,
    Look,
    Tick,
    /// The number of the signal.
    Signal(u8, Word),
}

impl Input {
    /// Returns when it is told.
    pub(super) const fn time(self) -> Timestamp {
        match self {
            Self::Unreachable(when) | Self::NotFound(when) | Self::Unreadable(when) => when.time(),
            Self::Tick => far(3),
            _ => When::Early.time(),
        }
    }

    /// Returns the event, addressed to what the machine asked for; `None` when it asked for nothing of the kind.
    pub(super) fn event(self, pending: Pending) -> Option<Event> {
        let replied = |reply| match pending {
            Pending::Perform { mark, .. } => Some(Event::Replied { stamp: mark.stamp(), reply }),
            _ => None,
        };
        let sealed = |seal| match pending {
            Pending::Seal { mark, .. } => Some(Event::Sealed { stamp: mark.stamp(), seal }),
            _ => None,
        };
        let probed = |probe| match pending {
            Pending::Probe { step } => Some(Event::Probed { step: StepId(step.into()), probe }),
            _ => None,
        };
        match self {
            Self::Committed => Some(Event::Appended),
            Self::Lost => Some(Event::LeaseLost),
            Self::Applied => replied(Reply::Applied(receipt())),
            Self::Busy => {
                replied(Reply::Rejected(Rejection::Busy { reason: text("busy"), retry_after: None }))
            }
            Self::Permanent => replied(Reply::Rejected(Rejection::Permanent { reason: text("refused") })),
            Self::Fenced(mark) => replied(Reply::Conflict(Conflict::Fenced { current: mark.stamp() })),
            Self::Drifted => replied(Reply::Conflict(Conflict::Drifted {
                expected: text("what the plan expects"),
                found: text("something else"),
            })),
            Self::Sealed => sealed(Seal::Sealed(Sealed { previous: Mark::NONE.stamp() })),
            Self::Overtaken(mark) => sealed(Seal::Overtaken { current: mark.stamp() }),
            Self::Unreachable(_) => sealed(Seal::Unreachable { cause: text("no answer") }),
            Self::Found => probed(Probe::Applied(receipt())),
            Self::NotFound(_) => probed(Probe::NotApplied),
            Self::Foreign => probed(Probe::Drifted { found: text("something else") }),
            Self::Unreadable(_) => probed(Probe::Unreadable { cause: text("no answer") }),
            Self::Tick => Some(Event::Tick),
            Self::Signal(index, word) => {
                Some(Event::Signalled { index: index.into(), entry: signal(index, word) })
            }
            Self::Pass | Self::Fail | Self::Stuck | Self::Look => self.finding(pending),
        }
    }

    fn finding(self, pending: Pending) -> Option<Event> {
        let Pending::Watch { step } = pending else {
            return None;
        };
        let step = StepId(step.into());
        Some(match self {
            Self::Pass => Event::Decided { step, verdict: verdict(VerdictOutcome::Pass) },
            Self::Fail => Event::Decided { step, verdict: verdict(VerdictOutcome::Fail) },
            Self::Stuck => Event::Stuck { step, reason: text("nothing to see") },
            _ => Event::Sampled {
                step,
                sample: Sample::counted(Timestamp::UNIX_EPOCH, Counts::NONE, Counts::NONE),
            },
        })
    }
}

/// A verdict; what it rests on makes no difference to the machine.
pub(super) fn verdict(outcome: VerdictOutcome) -> Verdict {
    let mut verdict = Verdict::expired(Timestamp::UNIX_EPOCH);
    verdict.outcome = outcome;
    verdict
}

/// A signal.
pub(super) fn signal(index: u8, word: Word) -> SignalEntry {
    SignalEntry {
        id: format!("signal-{index}"),
        signal: match word {
            Word::Stop => Signal::Cancel { reason: text("stop") },
            Word::Hasten => Signal::Hasten { reason: text("hurry") },
        },
        by: text("operator"),
        at: Timestamp::UNIX_EPOCH,
    }
}

fn receipt() -> Receipt {
    Receipt(text("done"))
}

fn text(text: &str) -> String {
    text.to_owned()
}
