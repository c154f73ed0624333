//! The errors of each slot over the last quarter of an hour, for whoever judges the next release against them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hotfix_core::model::SlotName;

/// How often the errors are read.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// A quarter of an hour of ticks.
const TICKS_KEPT: usize = 15 * 60 * 5;

/// Errors per tick and slot.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<BTreeMap<SlotName, SlotHistory>>);

#[derive(Debug)]
struct SlotHistory {
    /// Which release it is about: another one begins anew.
    unit: u64,
    total: u64,
    ticks: VecDeque<u32>,
}

impl History {
    /// Takes in the total of errors of what the slot holds.
    pub(crate) fn tick(&self, slot: &SlotName, unit: u64, total: u64) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(history) = slots.get_mut(slot).filter(|history| history.unit == unit) else {
            // The first reading only says from where to count.
            slots.insert(slot.clone(), SlotHistory { unit, total, ticks: VecDeque::new() });
            return;
        };
        if history.ticks.len() == TICKS_KEPT {
            history.ticks.pop_front();
        }
        let errors = total.saturating_sub(history.total);
        history.total = total;
        history.ticks.push_back(u32::try_from(errors).unwrap_or(u32::MAX));
    }

    /// Returns the errors per interval, oldest first: only intervals that are covered as a whole, at most `points`.
    pub(crate) fn errors(&self, slot: &SlotName, interval: Duration, points: usize) -> Vec<u64> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(history) = slots.get(slot) else {
            return Vec::new();
        };
        let ticks: Vec<u32> = history.ticks.iter().copied().collect();
        let per_point = usize::try_from(interval.as_millis() / TICK.as_millis()).unwrap_or(usize::MAX).max(1);
        let newest = ticks.rchunks_exact(per_point).take(points);
        let mut errors: Vec<u64> =
            newest.map(|chunk| chunk.iter().map(|tick| u64::from(*tick)).sum()).collect();
        errors.reverse();
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_added_up_to_whole_intervals() {
        let (history, slot) = (History::default(), SlotName::new("blue").expect("a slot"));
        for total in [5, 6, 8, 8, 12, 13] {
            history.tick(&slot, 1, total);
        }
        let errors = |interval, points| history.errors(&slot, Duration::from_millis(interval), points);
        assert_eq!(errors(200, 10), [1, 2, 0, 4, 1]);
        assert_eq!(errors(400, 10), [2, 5], "the oldest tick is half an interval");
        assert_eq!(errors(400, 1), [5]);
        assert_eq!(errors(5_000, 10), Vec::<u64>::new());
        history.tick(&slot, 2, 0);
        assert_eq!(errors(200, 10), Vec::<u64>::new(), "another release");
    }
}
