//! What can happen next.

use super::input::When;

/// One thing that happens in a world. Losing a request needs no action of its own: it is never delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// A worker opens a run.
    Open { run: u8 },
    /// A worker takes a run over.
    TakeOver { run: u8 },
    /// The store answers an append.
    Commit { worker: u8 },
    /// A target gets a request.
    Deliver { request: u8, answer: Answer },
    /// A target refuses a request.
    Refuse { request: u8, refusal: Refusal },
    /// A target brings a part of a request about, and no more.
    StopHalfWay { request: u8 },
    /// A request is repeated on its way.
    Duplicate { request: u8 },
    /// A target gets a seal.
    Seal { worker: u8 },
    /// A seal fails as far as the worker can see.
    SealFails { worker: u8, seal: Fate, when: When },
    /// A target is asked for a key.
    Probe { worker: u8, when: When },
    /// A target cannot be asked for a key.
    ProbeFails { worker: u8, when: When },
    /// The judge says something of an open gate.
    Judge { worker: u8, finding: Finding },
    /// Time passes for a worker.
    Tick { worker: u8 },
    /// Somebody leaves a signal, and a worker is handed it. Until then it makes no difference.
    Say { worker: u8, word: Word },
    /// A worker is handed a signal that another one knows.
    Tell { worker: u8, signal: u8 },
    /// A worker dies.
    Crash { worker: u8 },
    /// Somebody else changes a target.
    Edit { target: u8 },
}

/// What somebody says to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Word {
    Stop,
    Hasten,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Arrives,
    IsLost,
}

/// What becomes of a seal that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrived,
    IsDelayed,
}

/// How a target refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Busy,
    Permanent,
}

/// What a judge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    Pass,
    Fail,
    Stuck,
    Look,
}
