//! The statistics against R and scipy.
//!
//! `samples.json` was made once, by programs that share nothing with this crate: U and p by `scipy.stats.mannwhitneyu`
//! (asymptotic, with continuity correction); `r` by `uniroot` of R 4.2 with a tolerance of 1e-4, which is what Kayenta's
//! solver was written after; `exact` by bisection to 1e-12 on ranks of `scipy.stats.rankdata`. Where the staircase has a
//! step at its root the two ends of `exact` are the same; where it rests on it they are the ends of the step.

use hotfix_core::judge::kayenta::{Incomparable, mann_whitney, shift};
use serde::Deserialize;

/// What Kayenta's solver allows.
const COARSE: f64 = 1e-4;
const FINE: f64 = 1e-6;

#[derive(Deserialize)]
struct Samples {
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    name: String,
    experiment: Vec<f64>,
    control: Vec<f64>,
    confidence: f64,
    exact: Roots<[f64; 2]>,
    r: Roots<f64>,
    u: f64,
    p: f64,
}

#[derive(Deserialize)]
struct Roots<T> {
    lower: T,
    upper: T,
    estimate: T,
}

fn samples() -> Vec<Sample> {
    let samples: Samples = serde_json::from_str(include_str!("samples.json")).expect("the samples");
    assert_eq!(samples.samples.len(), 36);
    samples.samples
}

#[test]
fn the_test_is_that_of_scipy() {
    for Sample { name, experiment, control, u, p, .. } in samples() {
        let test = mann_whitney(&experiment, &control).expect("two samples that differ");
        assert_eq!(test.u, u, "{name}");
        assert!((test.p - p).abs() <= 1e-12, "{name}: {} instead of {p}", test.p);
    }
}

#[test]
fn the_interval_stops_where_r_stops() {
    for Sample { name, experiment, control, confidence, r, .. } in samples() {
        let found = shift(&experiment, &control, confidence).expect("two samples that differ");
        let roots = [(found.lower, r.lower), (found.upper, r.upper), (found.estimate, r.estimate)];
        for (ours, theirs) in roots {
            assert!((ours - theirs).abs() <= FINE, "{name}: {ours} instead of {theirs}");
        }
    }
}

#[test]
fn the_interval_is_as_near_to_the_truth_as_kayenta_promises() {
    for Sample { name, experiment, control, confidence, exact, .. } in samples() {
        let found = shift(&experiment, &control, confidence).expect("two samples that differ");
        let roots =
            [(found.lower, exact.lower), (found.upper, exact.upper), (found.estimate, exact.estimate)];
        for (ours, [from, to]) in roots {
            assert!(from - COARSE <= ours && ours <= to + COARSE, "{name}: {ours} is not in {from}..={to}");
        }
    }
}

#[test]
fn what_cannot_be_ranked_is_said() {
    let (one, two) = ([1.0], [2.0]);
    assert_eq!(shift(&one, &two, 0.98), Err(Incomparable::AllTied));
    assert_eq!(mann_whitney(&one, &two).expect("two ranks").u, 0.0);
    assert_eq!(mann_whitney(&one, &one), Err(Incomparable::AllTied));
    assert_eq!(shift(&[], &two, 0.98), Err(Incomparable::Empty));
    assert_eq!(mann_whitney(&one, &[]), Err(Incomparable::Empty));
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(mann_whitney(&[1.0, odd], &two), Err(Incomparable::NotFinite));
        assert_eq!(shift(&two, &[odd, 3.0], 0.98), Err(Incomparable::NotFinite));
    }
    assert_eq!(shift(&[f64::MAX, 0.0], &[f64::MIN, 1.0], 0.98), Err(Incomparable::NotFinite));
    // So far apart that the sum of the two loses the smaller one's digits.
    assert_eq!(shift(&[1e-20, 2e-20], &[1e5, 1e5], 0.98), Err(Incomparable::AllTied));
}
