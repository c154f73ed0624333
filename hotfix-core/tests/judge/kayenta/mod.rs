//! The Kayenta-compatible judge: against implementations by others, and where it differs on purpose.

mod deviations;
mod judgements;
mod mistakes;
mod pairing;
mod properties;
mod samples;

use hotfix_core::judge::kayenta::{
    CanaryConfig, Classification, Judgement, MetricSetPair, PairedValues, ScoreThresholds, Tags, judge,
};
use serde_json::{Value, json};

const THRESHOLDS: ScoreThresholds = ScoreThresholds { pass: 75.0, marginal: 50.0 };

fn config(json: Value) -> CanaryConfig {
    serde_json::from_value(json).expect("a canary config")
}

/// A metric of the group `all`, judged as said.
fn metric(name: &str, canary: Value) -> Value {
    json!({ "name": name, "groups": ["all"], "analysisConfigurations": { "canary": canary } })
}

fn pair(name: &str, control: &[f64], experiment: &[f64]) -> MetricSetPair {
    let values = PairedValues { control: control.to_vec(), experiment: experiment.to_vec() };
    MetricSetPair { name: name.to_owned(), tags: Tags::new(), values }
}

fn judged(config: &CanaryConfig, pairs: &[MetricSetPair]) -> Judgement {
    judge(config, THRESHOLDS, pairs).expect("a case that makes sense")
}

/// Judges one metric that way with those values; returns the whole judgement.
fn alone(canary: Value, control: &[f64], experiment: &[f64]) -> Judgement {
    judged(&config(json!({ "metrics": [metric("it", canary)] })), &[pair("it", control, experiment)])
}

fn classifications(judgement: &Judgement) -> Vec<(Classification, bool)> {
    judgement.results.iter().map(|result| (result.classification, result.critical)).collect()
}
