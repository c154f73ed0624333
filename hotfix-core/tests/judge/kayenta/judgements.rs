//! Whole judgements against an independent implementation.
//!
//! `judgements.json` was made once, by a Python program written from Kayenta's published behaviour with numpy's
//! percentiles, scipy's ranks, and intervals by bisection to 1e-12; random configs, samples with gaps, ties, outliers and
//! nothing at all. Cases in which this judge differs on purpose are left out (see `deviations.rs`), and those in which a
//! classification hangs on the digits that a solver with a tolerance of 1e-4 does not have.

use std::collections::BTreeMap;

use hotfix_core::judge::kayenta::{CanaryConfig, MetricSetPair, ScoreThresholds, judge};
use serde::Deserialize;

#[derive(Deserialize)]
struct Judgements {
    judgements: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    config: CanaryConfig,
    thresholds: ScoreThresholds,
    pairs: Vec<MetricSetPair>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    metrics: Vec<Metric>,
    groups: BTreeMap<String, f64>,
    score: f64,
    classification: String,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    classification: String,
    critical: bool,
    ratio: Option<f64>,
    effect: Option<f64>,
    counts: [usize; 2],
}

#[test]
fn every_judgement_is_that_of_the_reference() {
    let cases: Judgements = serde_json::from_str(include_str!("judgements.json")).expect("the judgements");
    assert_eq!(cases.judgements.len(), 45);
    for (index, Case { config, thresholds, pairs, expected }) in cases.judgements.into_iter().enumerate() {
        let judgement = judge(&config, thresholds, &pairs).expect("a case that makes sense");
        assert_eq!(judgement.results.len(), expected.metrics.len(), "case {index}");
        for (result, metric) in judgement.results.iter().zip(&expected.metrics) {
            let at = format!("case {index}, metric {}: {result:?}", metric.name);
            assert_eq!(result.name, metric.name, "{at}");
            assert_eq!(result.classification.to_string(), metric.classification, "{at}");
            assert_eq!(result.critical, metric.critical, "{at}");
            assert_eq!([result.control.count, result.experiment.count], metric.counts, "{at}");
            assert!(is_near(result.ratio, metric.ratio), "{at}");
            assert!(is_near(result.effect, metric.effect), "{at}");
        }
        let groups: BTreeMap<_, _> =
            judgement.group_scores.iter().map(|group| (group.name.clone(), group.score)).collect();
        assert_eq!(groups.keys().collect::<Vec<_>>(), expected.groups.keys().collect::<Vec<_>>());
        assert!(groups.iter().all(|(name, score)| (score - expected.groups[name]).abs() < 1e-9));
        assert_eq!(judgement.score.score, expected.score, "case {index}: {:?}", judgement.score);
        assert_eq!(format!("{:?}", judgement.score.classification), expected.classification, "case {index}");
    }
}

fn is_near(ours: Option<f64>, theirs: Option<f64>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0),
        (ours, theirs) => ours == theirs,
    }
}
