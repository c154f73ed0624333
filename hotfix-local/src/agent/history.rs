//! What each slot answered over the last quarter of an hour, for whoever judges the next release against it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hotfix_core::model::SlotName;
use hotfix_core::port::{self, LatencyBucket};

use crate::proxy::{BUCKETS, CountersView, bounds};

/// How often the counters are read.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// A quarter of an hour of ticks.
const TICKS_KEPT: usize = 15 * 60 * 5;

/// What was counted per tick and slot.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<BTreeMap<SlotName, SlotHistory>>);

#[derive(Debug)]
struct SlotHistory {
    /// Which release it is about: another one begins anew.
    unit: u64,
    total: CountersView,
    ticks: VecDeque<Tick>,
}

#[derive(Debug, Clone, Copy)]
struct Tick {
    errors: u32,
    /// Requests per bucket, the unbounded one last.
    latency: [u32; BUCKETS.len() + 1],
}

impl History {
    /// Takes in the total of what the slot holds.
    pub(crate) fn tick(&self, slot: &SlotName, unit: u64, total: CountersView) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(history) = slots.get_mut(slot).filter(|history| history.unit == unit) else {
            // The first reading only says from where to count.
            slots.insert(slot.clone(), SlotHistory { unit, total, ticks: VecDeque::new() });
            return;
        };
        if history.ticks.len() == TICKS_KEPT {
            history.ticks.pop_front();
        }
        history.ticks.push_back(Tick::between(&history.total, &total));
        history.total = total;
    }

    /// Returns the past, oldest first: only intervals that are covered as a whole, at most `points`.
    pub(crate) fn read(&self, slot: &SlotName, interval: Duration, points: usize) -> port::History {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots.get(slot).into_iter().flat_map(|history| &history.ticks);
        let ticks: Vec<Tick> = known.copied().collect();
        let per_point = usize::try_from(interval.as_millis() / TICK.as_millis()).unwrap_or(usize::MAX).max(1);
        let mut points: Vec<&[Tick]> = ticks.rchunks_exact(per_point).take(points).collect();
        points.reverse();
        let each = |what: &dyn Fn(&Tick) -> u64| -> Vec<u64> {
            points.iter().map(|point| point.iter().map(what).sum()).collect()
        };
        let of = each(&|tick| tick.slower(0)).into_iter().sum();
        let buckets = bounds().zip(1..).map(|(bound, above)| {
            let slower = each(&|tick| tick.slower(above));
            LatencyBucket { bound, slower, of }
        });
        port::History { errors: each(&|tick| tick.errors.into()), latency: buckets.collect() }
    }
}

impl Tick {
    fn between(before: &CountersView, now: &CountersView) -> Self {
        let rise = |now: u64, before: u64| u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
        let bucket = |view: &CountersView, bucket: usize| view.latency.get(bucket).copied().unwrap_or(0);
        Self {
            errors: rise(now.errors, before.errors),
            latency: std::array::from_fn(|place| rise(bucket(now, place), bucket(before, place))),
        }
    }

    /// Returns the requests of the bucket and of all slower ones.
    fn slower(&self, bucket: usize) -> u64 {
        self.latency.iter().skip(bucket).copied().map(u64::from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(errors: u64, fast: u64, slow: u64) -> CountersView {
        let mut latency = vec![0; BUCKETS.len() + 1];
        (latency[0], latency[BUCKETS.len()]) = (fast, slow);
        CountersView { requests: fast + slow, errors, latency, latency_micros: 0 }
    }

    #[test]
    fn ticks_are_added_up_to_whole_intervals() {
        let (history, slot) = (History::default(), SlotName::new("blue").expect("a slot"));
        for errors in [5, 6, 8, 8, 12, 13] {
            history.tick(&slot, 1, counted(errors, 0, 0));
        }
        let errors = |interval, points| history.read(&slot, Duration::from_millis(interval), points).errors;
        assert_eq!(errors(200, 10), [1, 2, 0, 4, 1]);
        assert_eq!(errors(400, 10), [2, 5], "the oldest tick is half an interval");
        assert_eq!(errors(400, 1), [5]);
        assert_eq!(errors(5_000, 10), Vec::<u64>::new());
        history.tick(&slot, 2, counted(0, 0, 0));
        assert_eq!(errors(200, 10), Vec::<u64>::new(), "another release");
    }

    #[test]
    fn slow_requests_are_told_by_every_bound_that_they_exceed() {
        let (history, slot) = (History::default(), SlotName::new("blue").expect("a slot"));
        for (fast, slow) in [(7, 1), (10, 1), (10, 3)] {
            history.tick(&slot, 1, counted(0, fast, slow));
        }
        let latency = history.read(&slot, TICK, 10).latency;
        assert_eq!(latency.len(), BUCKETS.len());
        for (bucket, bound) in latency.iter().zip(bounds()) {
            assert_eq!(*bucket, LatencyBucket { bound, slower: vec![0, 2], of: 5 });
        }
    }
}
