//! What holds for all values: an answer, no pass that rests on nothing, and the same answer from the other side.

use hotfix_core::judge::kayenta::{Classification, MetricSetPair, Summary, judge, mann_whitney, shift};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{THRESHOLDS, config, metric, pair};

/// Anything a metrics service may answer.
fn any_values() -> impl Strategy<Value = Vec<f64>> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, -0.0];
    let value = prop_oneof![
        4 => (0..6_i32).prop_map(f64::from),
        2 => -1e3..1e3_f64,
        1 => any::<f64>(),
        1 => proptest::sample::select(odd.to_vec()),
    ];
    vec(value, 0..12)
}

/// Values with ties and without.
fn sample() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![vec((0..9_i32).prop_map(f64::from), 2..30), vec(0.0..100.0_f64, 2..30)]
}

fn any_metric(name: &'static str) -> impl Strategy<Value = Value> {
    let words = |words: &'static [&str]| proptest::sample::select(words);
    let canary = (
        words(&["increase", "decrease", "either", "sideways"]),
        words(&["remove", "replace"]),
        words(&["remove", "keep"]),
        words(&["meanRatio", "cles"]),
        any::<[bool; 3]>(),
    );
    canary.prop_map(move |(direction, nan, outliers, measure, [critical, must_have_data, muted])| {
        let canary = json!({
            "direction": direction, "nanStrategy": nan, "outliers": { "strategy": outliers },
            "effectSize": { "measure": measure }, "critical": critical, "mustHaveData": must_have_data, "muted": muted,
        });
        metric(name, canary)
    })
}

fn any_pair(name: &'static str) -> impl Strategy<Value = MetricSetPair> {
    (any_values(), any_values()).prop_map(move |(control, experiment)| pair(name, &control, &experiment))
}

proptest! {
    #[test]
    fn there_is_an_answer_to_everything_and_no_pass_without_a_passed_metric(
        metrics in (any_metric("a"), any_metric("b"), any_metric("c")),
        pairs in (any_pair("a"), any_pair("b"), any_pair("c")),
    ) {
        let config = config(json!({ "metrics": [metrics.0, metrics.1, metrics.2] }));
        let pairs = [pairs.0, pairs.1, pairs.2];
        let judgement = judge(&config, THRESHOLDS, &pairs).expect("a config that makes sense");
        let again = judge(&config, THRESHOLDS, &pairs).expect("a config that makes sense");
        prop_assert_eq!(json!(again).to_string(), json!(judgement).to_string());
        prop_assert!((0.0..=100.0).contains(&judgement.score.score));
        let live: Vec<_> = judgement.results.iter().filter(|result| !result.muted).collect();
        let passed = live.iter().filter(|result| result.classification == Classification::Pass).count();
        let failed_critically = |metric: &&hotfix_core::judge::kayenta::MetricResult| {
            let analysis = config.metrics.iter().find(|known| known.name == metric.name).expect("known").analysis();
            let untested = [Classification::Error, Classification::Nodata, Classification::NodataFailMetric];
            metric.critical || (analysis.critical && untested.contains(&metric.classification))
        };
        if passed == 0 || live.iter().any(failed_critically) {
            prop_assert_eq!(judgement.score.classification, Summary::Fail);
        }
    }

    #[test]
    fn the_other_side_sees_the_opposite(x in sample(), y in sample()) {
        let there = mann_whitney(&x, &y);
        let back = mann_whitney(&y, &x);
        prop_assert_eq!(there.is_ok(), back.is_ok());
        if let (Ok(there), Ok(back)) = (there, back) {
            prop_assert_eq!(there.u + back.u, (x.len() * y.len()) as f64);
            prop_assert!((there.p - back.p).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&there.p));
        }
    }

    #[test]
    fn the_interval_holds_the_estimate_and_moves_with_the_experiment(x in sample(), y in sample()) {
        const TWICE_COARSE: f64 = 2e-4;
        let Ok(found) = shift(&x, &y, 0.98) else { return Ok(()) };
        prop_assert!(found.lower <= found.estimate + TWICE_COARSE && found.estimate <= found.upper + TWICE_COARSE);
        let moved: Vec<f64> = x.iter().map(|value| value + 64.0).collect();
        let moved = shift(&moved, &y, 0.98).expect("samples that differ as before");
        // Steps on which the root rests are wide; those that it crosses are not.
        prop_assert!((moved.lower - found.lower - 64.0).abs() <= TWICE_COARSE, "{moved:?} {found:?}");
        prop_assert!((moved.upper - found.upper - 64.0).abs() <= TWICE_COARSE, "{moved:?} {found:?}");
    }
}
