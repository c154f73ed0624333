//! Which call meets which mishap: from a script, or from a seed.

use std::collections::{BTreeMap, VecDeque};

use hotfix_core::model::Period;

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mishap {
    /// It does not arrive, now or ever, and the caller hears nothing.
    RequestLost,
    /// It arrives, and the caller hears nothing.
    ReplyLost,
    /// It waits, and its caller with it, until the test releases it. It arrives then even if its caller gave up.
    Held,
    /// It arrives and is answered; a copy waits until the test releases it.
    Duplicated,
    /// It is answered as busy, without having been looked at.
    Busy,
    /// It arrives later.
    Delayed(Period),
}

/// The calls of the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum Operation {
    Observe,
    Watch,
    Snapshot,
    ReadFile,
    Compose,
    Apply,
    Seal,
    Probe,
    Scrape,
    History,
    Look,
    Deliver,
    Find,
    Silence,
    Lift,
    OpenRun,
    Append,
    Renew,
    TakeOver,
    Journal,
    Runs,
    Signal,
    Signals,
    LeaseOutbox,
    SettleOutbox,
    Undelivered,
    Incident,
    Timeline,
    KnownGood,
}

/// How many calls in a thousand meet each mishap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// [`Mishap::RequestLost`].
    pub request_lost: u16,
    /// [`Mishap::ReplyLost`].
    pub reply_lost: u16,
    /// [`Mishap::Held`]. Somebody must release them, or their callers wait for ever.
    pub held: u16,
    /// [`Mishap::Duplicated`].
    pub duplicated: u16,
    /// [`Mishap::Busy`].
    pub busy: u16,
}

impl Default for Rates {
    /// A bad day: one call in five goes wrong. None is held.
    fn default() -> Self {
        Self { request_lost: 50, reply_lost: 50, held: 0, duplicated: 50, busy: 50 }
    }
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    script: BTreeMap<Operation, VecDeque<Mishap>>,
    chance: Option<Chance>,
}

impl Plan {
    pub(super) fn seeded(seed: u64, rates: Rates) -> Self {
        Self { script: BTreeMap::new(), chance: Some(Chance { state: seed, rates }) }
    }

    pub(super) fn add(&mut self, operation: Operation, mishap: Mishap) {
        self.script.entry(operation).or_default().push_back(mishap);
    }

    pub(super) fn next(&mut self, operation: Operation) -> Option<Mishap> {
        let scripted = self.script.get_mut(&operation).and_then(VecDeque::pop_front);
        // The dice are cast for every call, so that scripting one leaves the others as they are.
        let by_chance = self.chance.as_mut().and_then(Chance::next);
        scripted.or(by_chance)
    }
}

#[derive(Debug)]
struct Chance {
    state: u64,
    rates: Rates,
}

impl Chance {
    fn next(&mut self) -> Option<Mishap> {
        let mut dice = self.random() % 1000;
        let Rates { request_lost, reply_lost, held, duplicated, busy } = self.rates;
        let sides = [
            (request_lost, Mishap::RequestLost),
            (reply_lost, Mishap::ReplyLost),
            (held, Mishap::Held),
            (duplicated, Mishap::Duplicated),
            (busy, Mishap::Busy),
        ];
        for (rate, mishap) in sides {
            if dice < u64::from(rate) {
                return Some(mishap);
            }
            dice -= u64::from(rate);
        }
        None
    }

    /// The SplitMix64 generator: well mixed from any seed, and the same on every platform.
    const fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, calls: usize) -> Vec<Option<Mishap>> {
        let mut plan = Plan::seeded(seed, Rates::default());
        (0..calls).map(|_| plan.next(Operation::Apply)).collect()
    }

    #[test]
    fn a_seed_gives_the_same_mishaps_every_time_at_the_rates() {
        assert_eq!(drawn(7, 1000), drawn(7, 1000));
        assert_ne!(drawn(7, 1000), drawn(8, 1000));
        let mishaps = drawn(7, 10_000).into_iter().flatten().count();
        assert!((1800..2200).contains(&mishaps), "{mishaps} of 10000");
    }

    #[test]
    fn the_script_goes_first_and_leaves_the_dice_alone() {
        let mut plan = Plan::seeded(7, Rates::default());
        plan.add(Operation::Apply, Mishap::Held);
        let with_script: Vec<_> = (0..100).map(|_| plan.next(Operation::Apply)).collect();
        assert_eq!(with_script[0], Some(Mishap::Held));
        assert_eq!(with_script[1..], drawn(7, 100)[1..]);
    }
}
