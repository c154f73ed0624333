//! The world around the machine, packed: what the store, the targets and the network hold, who is at work, and how
//! much trouble is left. One value of [`World`] is one state of the exploration.

use std::fmt;
use std::hash::{Hash, Hasher};

use hotfix_core::model::Stamp;

use super::action::Word;

/// The most runs of a world.
pub(super) const RUNS: usize = 2;
/// The most targets of a world.
pub(super) const TARGETS: usize = 4;
/// The most workers of a world.
pub(super) const WORKERS: usize = 3;
/// The most requests under way at a time.
pub(super) const REQUESTS: usize = 8;

/// A stamp in two bytes. The order is that of stamps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Mark(u16);

impl Mark {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn of(stamp: Stamp) -> Self {
        let epoch = u8::try_from(stamp.epoch).expect("explored worlds have few takeovers");
        let seq = u8::try_from(stamp.seq).expect("explored worlds have few attempts");
        Self(u16::from(epoch) << 8 | u16::from(seq))
    }

    pub(super) const fn epoch(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    pub(super) fn stamp(self) -> Stamp {
        let [epoch, seq] = self.0.to_be_bytes();
        Stamp::new(u64::from(epoch), u32::from(seq))
    }

    const fn bits(self) -> u64 {
        self.0 as u64
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stamp())
    }
}

/// What a target or an effect holds: nothing is known of it but which one it is.
pub(super) type Value = u8;

/// What every target holds at first.
pub(super) const BASELINE: Value = 0;
/// What somebody else put there.
pub(super) const FOREIGN: Value = 1;

/// How a run ended, as far as the terminal record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// Everything was done.
    Succeeded,
    /// Everything was taken back.
    RolledBack,
    /// It was stopped before anything was deployed.
    Cancelled,
    /// A human must take over.
    Escalated,
}

/// Where a run stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Phase {
    #[default]
    Unopened,
    Active,
    Quarantined,
    Ended(Ending),
}

/// What the store holds of one run, and what an onlooker remembers of it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ledger {
    /// The fold over its journal, by number.
    pub(super) fold: u32,
    /// Which steps the targets applied, by bit.
    pub(super) applied: u32,
    /// Which gates passed, by bit.
    pub(super) passed: u32,
    /// The highest seal in the journal since the last intent.
    pub(super) sealed: Mark,
    /// The epoch of the lease.
    pub(super) epoch: u8,
    pub(super) phase: Phase,
    /// Signals that were left.
    pub(super) signals: u8,
    /// Which of them ask to hasten, by bit.
    pub(super) hastes: u8,
    /// A signal to hasten is journaled.
    pub(super) hastened: bool,
    /// A gate did not pass.
    pub(super) failed: bool,
    /// A workload was found to hold something foreign.
    pub(super) drifted: bool,
    /// Which steps of workloads the journal says not to be applied after an attempt of which nobody knew, by bit: a part
    /// of them may have been.
    pub(super) begun: u32,
}

impl Ledger {
    /// Returns what a signal says.
    pub(super) const fn word(&self, signal: u8) -> Word {
        if self.hastes >> signal & 1 == 1 { Word::Hasten } else { Word::Stop }
    }

    fn words(&self) -> [u64; 3] {
        let phase = match self.phase {
            Phase::Unopened => 0,
            Phase::Active => 1,
            Phase::Quarantined => 2,
            Phase::Ended(ending) => 3 + ending as u64,
        };
        let small = [
            self.sealed.bits() << 16,
            u64::from(self.epoch) << 8,
            phase << 4,
            u64::from(self.signals) << 2,
            u64::from(self.failed) << 1,
            u64::from(self.drifted),
        ];
        let said = u64::from(self.hastes) << 1 | u64::from(self.hastened);
        [
            u64::from(self.fold) << 32 | small.into_iter().fold(0, |all, bits| all | bits),
            u64::from(self.applied) << 32 | u64::from(self.passed),
            u64::from(self.begun) << 32 | said,
        ]
    }
}

/// One target.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Target {
    pub(super) value: Value,
    /// The highest stamp it accepted.
    pub(super) fence: Mark,
    /// Which run the store lets change it: its number plus one, or 0.
    pub(super) owner: u8,
    /// Which run made a part of a change here and not the rest: its number plus one, or 0.
    pub(super) half: u8,
}

/// A request under way. An empty place is the default.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Request {
    pub(super) mark: Mark,
    pub(super) run: u8,
    pub(super) kind: Kind,
}

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Kind {
    /// An effect whose intent is committed.
    Apply(u8),
    /// An effect whose intent is not committed.
    Unannounced(u8),
    /// A seal of a target that nobody waits for any more.
    Seal(u8),
}

impl Default for Kind {
    fn default() -> Self {
        Self::Apply(0)
    }
}

impl Request {
    pub(super) fn is_empty(self) -> bool {
        self.mark == Mark::NONE
    }

    /// Returns the step whose effect it carries.
    pub(super) const fn step(self) -> Option<u8> {
        match self.kind {
            Kind::Apply(step) | Kind::Unannounced(step) => Some(step),
            Kind::Seal(_) => None,
        }
    }

    fn bits(self) -> u64 {
        let (kind, place) = match self.kind {
            Kind::Apply(step) => (0, step),
            Kind::Unannounced(step) => (1, step),
            Kind::Seal(target) => (2, target),
        };
        self.mark.bits() << 16 | u64::from(self.run) << 8 | kind << 6 | u64::from(place)
    }
}

/// How much trouble there may still be. Zero of everything is a quiet world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Budget {
    /// Workers that die and come back.
    pub(super) crashes: u8,
    /// Takeovers while the owner still runs.
    pub(super) usurpations: u8,
    /// Requests and answers that get lost.
    pub(super) losses: u8,
    /// Requests that arrive twice.
    pub(super) duplicates: u8,
    /// Requests that a target refuses.
    pub(super) refusals: u8,
    /// Changes that stop half-way.
    pub(super) halves: u8,
    /// Seals and probes that fail.
    pub(super) outages: u8,
    /// Changes by somebody else.
    pub(super) edits: u8,
    /// Signals to stop.
    pub(super) cancels: u8,
    /// Signals to go to all of the traffic at once.
    pub(super) hastes: u8,
    /// Gates that ask for a human.
    pub(super) stalls: u8,
    /// Samples that are journaled.
    pub(super) looks: u8,
}

impl Budget {
    fn word(&self) -> u64 {
        let Self {
            crashes,
            usurpations,
            losses,
            duplicates,
            refusals,
            halves,
            outages,
            edits,
            cancels,
            hastes,
            stalls,
            looks,
        } = *self;
        let trouble = [crashes, usurpations, losses, duplicates, refusals, halves, outages, edits];
        let words = [cancels, hastes, stalls, looks];
        trouble.into_iter().chain(words).fold(0, |word, count| word << 5 | u64::from(count))
    }
}

/// One state of the exploration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct World {
    pub(super) runs: [Ledger; RUNS],
    pub(super) targets: [Target; TARGETS],
    /// What each worker's machine is, by number; 0: it drives nothing. Highest first, because workers are alike.
    pub(super) workers: [u32; WORKERS],
    /// Highest first, empty places last.
    pub(super) requests: [Request; REQUESTS],
    /// The last epoch that was given out.
    pub(super) epoch: u8,
    pub(super) left: Budget,
}

impl World {
    pub(super) fn new(left: Budget) -> Self {
        Self {
            runs: Default::default(),
            targets: Default::default(),
            workers: [0; WORKERS],
            requests: Default::default(),
            epoch: 0,
            left,
        }
    }

    /// Puts everything that has no order of its own into one order.
    pub(super) fn settle(&mut self) {
        self.workers.sort_unstable_by(|a, b| b.cmp(a));
        self.requests.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// Puts a request under way, if there is a place for it.
    pub(super) fn send(&mut self, request: Request) -> bool {
        let place = self.requests.iter_mut().find(|place| place.is_empty());
        match place {
            Some(place) => *place = request,
            None => return false,
        }
        true
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for ledger in &self.runs {
            ledger.words().into_iter().for_each(|word| state.write_u64(word));
        }
        for target in &self.targets {
            let small = u64::from(target.owner) << 2 | u64::from(target.half);
            state.write_u64(target.fence.bits() << 16 | u64::from(target.value) << 8 | small);
        }
        for worker in self.workers {
            state.write_u64(u64::from(worker));
        }
        for pair in self.requests.chunks(2) {
            state.write_u64(pair.iter().fold(0, |word, request| word << 32 | request.bits()));
        }
        state.write_u64(self.left.word());
        state.write_u64(u64::from(self.epoch));
    }
}
