//! What is counted, with atomics only: requests, errors, time and what is in flight.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotfix_core::model::LatencyBound;
use serde::{Deserialize, Serialize};

/// Upper bounds of the latency buckets in seconds; the last bucket, without bound, comes on top.
pub(crate) const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

const BUCKETS_MICROS: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000,
];

/// Returns the bounds, ascending.
pub(crate) fn bounds() -> impl Iterator<Item = LatencyBound> {
    BUCKETS_MICROS.into_iter().filter_map(|micros| LatencyBound::from_micros(micros).ok())
}

/// The counters of one instance. They only rise.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    errors: AtomicU64,
    latency: [AtomicU64; BUCKETS.len() + 1],
    latency_micros: AtomicU64,
}

/// How a request ended, as far as counting goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered,
    /// Status 500 or above, or no whole answer.
    Failed,
}

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CountersView {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Requests per bucket of [`BUCKETS`], not cumulated, the unbounded one last.
    pub(crate) latency: Vec<u64>,
    pub(crate) latency_micros: u64,
}

impl Counters {
    /// Counts one finished request.
    pub(crate) fn count(&self, ending: Ending, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_MICROS.partition_point(|bound| *bound < micros);
        self.latency[bucket].fetch_add(1, Ordering::Relaxed);
        self.latency_micros.fetch_add(micros, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Release);
        if ending == Ending::Failed {
            self.errors.fetch_add(1, Ordering::Release);
        }
    }

    /// Reads the counters. Errors are read first, so that a reader never sees more errors than requests.
    pub(crate) fn view(&self) -> CountersView {
        let errors = self.errors.load(Ordering::Acquire);
        let requests = self.requests.load(Ordering::Acquire);
        CountersView {
            requests,
            errors,
            latency: self.latency.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect(),
            latency_micros: self.latency_micros.load(Ordering::Relaxed),
        }
    }
}

impl CountersView {
    /// Adds the counters of another instance.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.latency_micros += other.latency_micros;
        self.latency.resize(self.latency.len().max(other.latency.len()), 0);
        self.latency.iter_mut().zip(&other.latency).for_each(|(sum, count)| *sum += count);
    }

    /// Returns how many requests took longer; `None` for what is not a bound of a bucket.
    pub(crate) fn slower(&self, than: LatencyBound) -> Option<u64> {
        let bucket = BUCKETS_MICROS.iter().position(|bound| *bound == than.micros())?;
        Some(self.latency.iter().skip(bucket + 1).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        let counters = Counters::default();
        for micros in [0, 1_000, 1_001, 30_000_000, 30_000_001] {
            counters.count(Ending::Answered, Duration::from_micros(micros));
        }
        counters.count(Ending::Failed, Duration::from_secs(1));
        let view = counters.view();
        assert_eq!((view.requests, view.errors), (6, 1));
        assert_eq!(view.latency, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1]);
        let slower = |micros| view.slower(LatencyBound::from_micros(micros).expect("a bound"));
        assert_eq!([1_000, 1_000_000, 30_000_000].map(slower), [Some(4), Some(2), Some(1)]);
        assert_eq!(slower(2_000), None, "not the bound of a bucket");
    }

    #[test]
    fn the_bounds_in_seconds_and_in_microseconds_agree() {
        for (seconds, micros) in BUCKETS.iter().zip(BUCKETS_MICROS) {
            assert!((seconds * 1e6 - micros as f64).abs() < 1e-3);
        }
        assert_eq!(bounds().count(), BUCKETS.len());
    }
}
