//! Configs: what is read, what is refused, and what is noted.

use hotfix_core::judge::kayenta::{
    CanaryConfig, Direction, InvalidCase, JUDGE_NAME, Measure, NanStrategy, OutlierStrategy, ScoreThresholds,
    judge,
};
use serde_json::{Value, json};

use super::{THRESHOLDS, config, metric, pair};

/// A config as Spinnaker stores it, with everything a judge does not need.
const STORED: &str = r#"{
    "applications": ["shop"], "createdTimestamp": 1, "updatedTimestampIso": "2020-01-01T00:00:00Z", "id": "1",
    "name": "golden signals", "description": "", "configVersion": "1", "templates": {"t": "x"},
    "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
    "metrics": [{
        "name": "errors", "scopeName": "default", "groups": ["requests"],
        "query": {"type": "prometheus", "metricName": "errors", "labelBindings": []},
        "analysisConfigurations": {"canary": {
            "direction": "increase", "nanStrategy": "replace", "critical": true, "mustHaveData": true, "muted": false,
            "effectSize": {"measure": "cles", "allowedIncrease": 0.6, "criticalIncrease": 0.9},
            "outliers": {"strategy": "remove", "outlierFactor": 2}
        }}
    }],
    "classifier": {"groupWeights": {"requests": 100}, "scoreThresholds": {"pass": 95, "marginal": 75}}
}"#;

#[test]
fn a_stored_config_is_read() {
    let stored: CanaryConfig = serde_json::from_str(STORED).expect("a stored config");
    assert_eq!(stored.thresholds(), Ok(ScoreThresholds { pass: 95.0, marginal: 75.0 }));
    assert_eq!(stored.check(), Ok(()));
    assert_eq!(stored.notes(), []);
    let analysis = stored.metrics[0].analysis();
    assert_eq!(analysis.direction, Direction::Increase);
    assert_eq!(analysis.nan_strategy, NanStrategy::Replace);
    assert_eq!(analysis.outliers.strategy, OutlierStrategy::Remove);
    assert_eq!(analysis.outliers.outlier_factor, 2.0);
    assert_eq!(analysis.effect_size.measure, Measure::Cles);
    assert_eq!(analysis.effect_size.allowed_increase, Some(0.6));
    assert_eq!(analysis.effect_size.allowed_decrease, None);
    assert!(analysis.critical && analysis.must_have_data && !analysis.muted);
    let written = serde_json::to_value(&stored).expect("a config");
    assert_eq!(config(written), stored);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let bare = config(json!({ "metrics": [{ "name": "a" }] }));
    let analysis = bare.metrics[0].analysis();
    assert_eq!(analysis.direction, Direction::Either);
    assert_eq!(analysis.nan_strategy, NanStrategy::Remove);
    assert_eq!(analysis.outliers.strategy, OutlierStrategy::Keep);
    assert_eq!(analysis.outliers.outlier_factor, 3.0);
    assert_eq!(analysis.effect_size.measure, Measure::MeanRatio);
    assert!(!analysis.critical && !analysis.must_have_data && !analysis.muted);
    assert_eq!(bare.thresholds(), Err(InvalidCase::NoThresholds));
}

#[test]
fn words_and_fields_that_mean_nothing_are_noted() {
    let odd = json!({
        "direction": "up", "nanStrategy": "none", "cricital": true,
        "outliers": { "strategy": "drop", "factor": 1 },
        "effectSize": { "measure": "ratio", "allowedIncreese": 2 },
    });
    let odd = config(json!({
        "metrics": [metric("a", odd), { "name": "b" }],
        "classifier": { "groupWeights": { "all": 60 } },
    }));
    let notes: Vec<String> = odd.notes().iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            r#"canary.direction of metric "a" is "up", which is read as "either""#,
            r#"canary.nanStrategy of metric "a" is "none", which is read as "remove""#,
            r#"canary.outliers.strategy of metric "a" is "drop", which is read as "keep""#,
            r#"canary.effectSize.measure of metric "a" is "ratio", which is read as "meanRatio""#,
            r#"canary.cricital of metric "a" is no field and changes nothing"#,
            r#"canary.outliers.factor of metric "a" is no field and changes nothing"#,
            r#"canary.effectSize.allowedIncreese of metric "a" is no field and changes nothing"#,
            r#"metric "b" is in no group and counts in no score"#,
            "groupWeights sum to 60, and no score can be higher; they should total 100",
        ]
    );
    let judgement = super::judged(&odd, &[pair("a", &[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0])]);
    assert_eq!(judgement.notes, odd.notes());
}

#[test]
fn configs_that_make_no_sense_are_refused_by_name() {
    let parameter = |canary| json!({ "metrics": [metric("a", canary)] });
    let weights = |weights: Value| json!({ "metrics": [], "classifier": { "groupWeights": weights } });
    let cases = [
        (
            json!({ "judge": { "name": "dredd-v1.0" }, "metrics": [] }),
            r#"judge.name is "dredd-v1.0"; the only judge there is is "NetflixACAJudge-v1.0""#,
        ),
        (
            json!({ "metrics": [{ "name": "a" }, { "name": "a" }] }),
            r#"metrics has two entries named "a"; give each a name of its own"#,
        ),
        (json!({ "metrics": [{ "name": "" }] }), "metrics has an entry with an empty name"),
        (
            parameter(json!({ "outliers": { "outlierFactor": 0 } })),
            r#"canary.outliers.outlierFactor of metric "a" is 0; allowed are numbers above 0"#,
        ),
        (weights(json!({ "g": -1 })), r#"the weight of group "g" is -1; allowed are numbers from 0 to 100"#),
        (weights(json!({ "g": 70, "h": 40 })), "groupWeights sum to 110; they must total 100"),
    ];
    for (json, expected) in cases {
        let error = judge(&config(json), THRESHOLDS, &[]).expect_err("a config that makes no sense");
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(config(weights(json!({ "g": 33.34, "h": 33.34, "i": 33.34 }))).check(), Ok(()));
    assert_eq!(config(json!({ "judge": { "name": JUDGE_NAME }, "metrics": [] })).check(), Ok(()));
}

#[test]
fn limits_that_are_no_numbers_are_refused() {
    let mut odd = config(json!({ "metrics": [metric("a", json!({}))] }));
    odd.metrics[0].analysis_configurations.canary.effect_size.critical_decrease = Some(f64::NAN);
    let error = odd.check().expect_err("no number");
    assert_eq!(
        error.to_string(),
        r#"canary.effectSize.criticalDecrease of metric "a" is NaN; allowed are finite numbers"#
    );
}

#[test]
fn thresholds_that_make_no_sense_are_refused() {
    let bare = config(json!({ "metrics": [] }));
    for (pass, marginal) in [(0.0, 0.0), (101.0, 50.0), (50.0, 75.0), (75.0, -1.0), (f64::NAN, 50.0)] {
        let error = judge(&bare, ScoreThresholds { pass, marginal }, &[]).expect_err("odd thresholds");
        assert!(matches!(error, InvalidCase::Thresholds { .. }), "{error}");
    }
    assert_eq!(
        InvalidCase::Thresholds { pass: 50.0, marginal: 75.0 }.to_string(),
        "scoreThresholds are pass 50 and marginal 75; allowed is 0 < pass <= 100 and 0 <= marginal <= pass"
    );
}

#[test]
fn values_of_an_unknown_metric_are_refused() {
    let bare = config(json!({ "metrics": [{ "name": "a" }] }));
    let error = judge(&bare, THRESHOLDS, &[pair("b", &[1.0], &[1.0])]).expect_err("unknown");
    assert_eq!(error, InvalidCase::UnknownMetric { metric: "b".to_owned() });
}
