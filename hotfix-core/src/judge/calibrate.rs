//! Measures, before a rollout, what the baseline is like: how bursty its errors are, and where its slow requests begin.

use std::collections::BTreeSet;

use super::dispersion;
use crate::model::{Calibration, Counts, TailBound};
use crate::port::{History, LatencyBucket};

/// The shares of slow requests that are looked for: enough of them to count, and few enough to be slow.
const WANTED_TAILS: [f64; 2] = [0.05, 0.01];

/// Calibrates the judge with the past of the baseline.
///
/// Of the bounds that the source can count, the two are chosen beyond which the baseline had a share of requests
/// nearest 5 % and 1 %, by the logarithm; it can be one and the same. The choice is made before the rollout and without
/// a look at the canary, so any choice is safe.
#[must_use]
pub fn calibrate(history: &History) -> Calibration {
    let nearest = |wanted: f64| {
        let distance = |bucket: &&LatencyBucket| tail(bucket).map(|tail| libm::log(tail / wanted).abs());
        let known = history.latency.iter().filter_map(|bucket| Some((distance(&bucket)?, bucket)));
        let nearest = known.min_by(|(a, one), (b, other)| a.total_cmp(b).then(one.bound.cmp(&other.bound)));
        nearest.map(|(_, bucket)| bucket.bound)
    };
    let chosen: BTreeSet<_> = WANTED_TAILS.into_iter().filter_map(nearest).collect();
    let bound = |bucket: &&LatencyBucket| chosen.contains(&bucket.bound);
    let tail = |bucket: &LatencyBucket| TailBound {
        over: bucket.bound,
        dispersion: dispersion(&bucket.slower),
        usual: Counts::new(bucket.of, slower(bucket)).unwrap_or_default(),
    };
    let mut tails: Vec<_> = history.latency.iter().filter(bound).map(tail).collect();
    tails.sort_by_key(|tail| tail.over);
    tails.dedup_by_key(|tail| tail.over);
    Calibration { dispersion: dispersion(&history.errors), tails }
}

/// Returns the share of requests beyond a bound; `None` when all or none are, which tells nothing.
fn tail(bucket: &LatencyBucket) -> Option<f64> {
    let slower = slower(bucket);
    (0 < slower && slower < bucket.of).then(|| slower as f64 / bucket.of as f64)
}

fn slower(bucket: &LatencyBucket) -> u64 {
    bucket.slower.iter().fold(0, |sum, slower| sum.saturating_add(*slower))
}
