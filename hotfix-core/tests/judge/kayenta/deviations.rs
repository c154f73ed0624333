//! Each place where this judge differs from Kayenta on purpose, and what is kept beside it.

use hotfix_core::judge::kayenta::Classification::{Error, High, Low, Nodata, NodataFailMetric, Pass};
use hotfix_core::judge::kayenta::{Incomparable, Reason, ScoreThresholds, Shift, Summary, judge};
use serde_json::json;

use super::{THRESHOLDS, alone, classifications, config, judged, metric, pair};

const SOME: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
const MORE: [f64; 6] = [31.0, 32.0, 33.0, 34.0, 35.0, 36.0];

#[test]
fn an_error_is_a_failed_metric_and_never_a_pass() {
    // One value a side cannot be tested: Kayenta scores this 100.
    let untestable = alone(json!({}), &[1.0], &[2.0]);
    assert_eq!(classifications(&untestable), [(Error, false)]);
    assert_eq!(untestable.results[0].reason, Some(Reason::Incomparable(Incomparable::AllTied)));
    assert_eq!(untestable.results[0].ratio, None);
    assert_eq!((untestable.score.score, untestable.score.classification), (0.0, Summary::Fail));

    let two = config(json!({ "metrics": [metric("good", json!({})), metric("odd", json!({}))] }));
    let half = judged(&two, &[pair("good", &SOME, &SOME), pair("odd", &[1.0], &[2.0])]);
    assert_eq!(classifications(&half), [(Pass, false), (Error, false)]);
    assert_eq!((half.score.score, half.score.classification), (50.0, Summary::Marginal));
}

#[test]
fn an_error_of_a_critical_metric_fails_the_canary() {
    let three = config(json!({ "metrics": [
        metric("a", json!({})), metric("b", json!({})), metric("c", json!({})),
        metric("odd", json!({ "critical": true })),
    ]}));
    let good = |name| pair(name, &SOME, &SOME);
    let failed = judged(&three, &[good("a"), good("b"), good("c"), pair("odd", &[1.0], &[2.0])]);
    assert_eq!(classifications(&failed)[3], (Error, true));
    assert_eq!((failed.score.score, failed.score.classification), (0.0, Summary::Fail));
    assert_eq!(
        failed.score.classification_reason,
        "critical metric odd is Error: the sides cannot be compared: all values are tied"
    );
}

#[test]
fn infinite_values_are_an_error() {
    let mut broken = SOME;
    broken[3] = f64::INFINITY;
    for (control, experiment) in [(SOME, broken), (broken, SOME)] {
        let judgement = alone(json!({ "critical": true }), &control, &experiment);
        assert_eq!(classifications(&judgement), [(Error, true)]);
        assert_eq!(judgement.results[0].reason, Some(Reason::Incomparable(Incomparable::NotFinite)));
    }
    let constant = alone(json!({}), &SOME.map(|_| f64::INFINITY), &SOME.map(|_| 1.0));
    assert_eq!(classifications(&constant), [(Error, false)]);
}

#[test]
fn two_different_constants_are_as_far_apart_as_they_are() {
    let five = [5.0; 4];
    for (experiment, classification, shift) in
        [(6.0, High, 1.0), (4.0, Low, -1.0), (5.000_001, High, 0.000_001), (0.0, Low, -5.0)]
    {
        let judgement = alone(json!({}), &five, &[experiment; 3]);
        assert_eq!(classifications(&judgement), [(classification, false)], "{experiment}");
        let found = judgement.results[0].shift.expect("a shift");
        assert!((found.estimate - shift).abs() < 1e-12);
        assert_eq!(found, Shift { lower: found.estimate, upper: found.estimate, estimate: found.estimate });
        assert_eq!(
            judgement,
            alone(json!({}), &five, &[experiment; 3]),
            "the same data give the same answer"
        );
    }
    // The effect is that of the constants themselves: a ratio of exactly 1.2 reaches 1.2.
    let at = |allowed: f64| alone(json!({ "effectSize": { "allowedIncrease": allowed } }), &five, &[6.0; 4]);
    assert_eq!(classifications(&at(1.2)), [(High, false)]);
    assert_eq!(classifications(&at(1.21)), [(Pass, false)]);
    assert_eq!(classifications(&alone(json!({}), &five, &[5.0])), [(Pass, false)]);
    assert_eq!(classifications(&alone(json!({}), &five, &[6.0])), [(High, false)]);
}

#[test]
fn the_weight_of_a_group_without_a_metric_goes_to_the_others() {
    let weighted = |weights| {
        let metrics = json!([
            { "name": "good", "groups": ["a"] }, { "name": "bad", "groups": ["b"] },
            { "name": "quiet", "groups": ["c"], "analysisConfigurations": { "canary": { "muted": true } } },
        ]);
        let config = config(json!({ "metrics": metrics, "classifier": { "groupWeights": weights } }));
        let values = [pair("good", &SOME, &SOME), pair("bad", &SOME, &MORE), pair("quiet", &SOME, &SOME)];
        judged(&config, &values).score.score
    };
    // Without `absent` the shares would be 30 and 10.
    assert_eq!(weighted(json!({ "a": 30, "b": 10, "absent": 60 })), 75.0);
    // A group of muted metrics only is empty too.
    assert_eq!(weighted(json!({ "a": 40, "b": 40, "c": 20 })), 50.0);
    assert_eq!(weighted(json!({ "absent": 100 })), 50.0);
    // Kept: groups without a weight share what is left, and weights below 100 are the best there is.
    assert_eq!(weighted(json!({ "a": 80 })), 80.0);
    assert_eq!(weighted(json!({ "a": 60, "b": 20 })), 60.0);
}

#[test]
fn no_values_at_all_are_no_zeros_for_a_metric_that_matters() {
    let replaced = |canary: serde_json::Value, experiment: &[f64]| {
        let mut canary = canary;
        canary["nanStrategy"] = json!("replace");
        alone(canary, &SOME, experiment)
    };
    assert_eq!(classifications(&replaced(json!({ "critical": true }), &[])), [(Nodata, true)]);
    assert_eq!(classifications(&replaced(json!({ "mustHaveData": true }), &[])), [(NodataFailMetric, false)]);
    let both = json!({ "critical": true, "mustHaveData": true });
    assert_eq!(classifications(&replaced(both, &[])), [(Nodata, true)]);
    // Kept: a metric of which nothing is asked passes; and NaN are zeros, whatever is asked.
    assert_eq!(classifications(&replaced(json!({}), &[])), [(Pass, false)]);
    let nan = [f64::NAN; 6];
    assert_eq!(classifications(&replaced(json!({ "critical": true }), &nan)), [(Low, true)]);
}

#[test]
fn a_metric_without_any_values_has_no_data() {
    let four = config(json!({ "metrics": [
        metric("a", json!({})), metric("b", json!({})), metric("zeros", json!({ "nanStrategy": "replace" })),
        metric("must", json!({ "mustHaveData": true })),
    ]}));
    let judgement = judged(&four, &[pair("b", &SOME, &SOME), pair("a", &SOME, &SOME)]);
    let names: Vec<_> = judgement.results.iter().map(|result| result.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "zeros", "must"]);
    let found = classifications(&judgement);
    assert_eq!(found, [(Pass, false), (Pass, false), (Nodata, false), (NodataFailMetric, false)]);
    assert_eq!(judgement.score.score, 66.67);

    let critical =
        config(json!({ "metrics": [metric("a", json!({})), metric("b", json!({ "critical": true }))] }));
    let judgement = judged(&critical, &[pair("a", &SOME, &SOME)]);
    assert_eq!(judgement.score.classification_reason, "critical metric b is Nodata: a side has no data");
}

#[test]
fn a_critical_failure_fails_under_any_threshold() {
    let critical = config(json!({ "metrics": [metric("it", json!({ "critical": true }))] }));
    let lax = ScoreThresholds { pass: 1.0, marginal: 0.0 };
    let judgement = judge(&critical, lax, &[pair("it", &SOME, &MORE)]).expect("a judgement");
    assert_eq!((judgement.score.score, judgement.score.classification), (0.0, Summary::Fail));
    let ordinary = config(json!({ "metrics": [metric("it", json!({}))] }));
    let judgement = judge(&ordinary, lax, &[pair("it", &SOME, &MORE)]).expect("a judgement");
    assert_eq!(judgement.score.classification, Summary::Marginal);
}

#[test]
fn without_a_metric_nothing_passes() {
    let muted = config(json!({ "metrics": [metric("it", json!({ "muted": true }))] }));
    for (config, pairs) in
        [(&muted, vec![pair("it", &SOME, &SOME)]), (&config(json!({ "metrics": [] })), vec![])]
    {
        let judgement = judge(config, THRESHOLDS, &pairs).expect("a judgement");
        assert_eq!((judgement.score.score, judgement.score.classification), (0.0, Summary::Fail));
        assert_eq!(judgement.score.classification_reason, "no metric was judged");
    }
}

#[test]
fn half_of_the_metrics_without_data_are_too_many() {
    let metrics = |names: &[&str]| {
        let metrics: Vec<_> = names.iter().map(|name| json!({ "name": name, "groups": [name] })).collect();
        config(json!({ "metrics": metrics }))
    };
    let (good, none) = (|name| pair(name, &SOME, &SOME), |name| pair(name, &SOME, &[f64::NAN]));
    let half = judged(&metrics(&["a", "b"]), &[good("a"), none("b")]);
    assert_eq!((half.score.score, half.score.classification), (0.0, Summary::Fail));
    assert_eq!(half.score.classification_reason, "1 of 2 metrics have no data");
    // Kept: fewer do not count against the canary.
    let third = judged(&metrics(&["a", "b", "c"]), &[good("a"), good("b"), none("c")]);
    assert_eq!((third.score.score, third.score.classification), (100.0, Summary::Pass));
    assert_eq!(third.group_scores[2].score, 0.0);
}

#[test]
fn the_answer_has_the_shape_of_kayentas() {
    let judgement = alone(json!({ "direction": "increase" }), &[2.0; 3], &[3.0; 3]);
    let stats = |value: f64| json!({ "stats": { "min": value, "max": value, "mean": value, "std": 0.0, "count": 3 } });
    let expected = json!({
        "judgeName": "hotfix/NetflixACAJudge-v1.0",
        "results": [{
            "name": "it", "tags": {}, "classification": "High",
            "classificationReason": "the experiment is higher than the control",
            "groups": ["all"], "critical": false, "muted": false,
            "experimentMetadata": stats(3.0), "controlMetadata": stats(2.0),
            "resultMetadata": { "ratio": 1.5, "effectSize": 1.5, "lower": 1.0, "upper": 1.0, "estimate": 1.0 },
        }],
        "groupScores": [{ "name": "all", "score": 0.0 }],
        "score": { "score": 0.0, "classification": "Fail", "classificationReason": "" },
        "notes": [],
    });
    assert_eq!(serde_json::to_value(&judgement).expect("an answer"), expected);
    let error = alone(json!({}), &[1.0], &[2.0]);
    let error = serde_json::to_value(&error.results[0]).expect("an answer");
    assert_eq!(error["resultMetadata"]["ratio"], json!(null));
    assert_eq!(error["classification"], "Error");
}
