//! Laying the metric sets of both sides beside each other.

use hotfix_core::judge::kayenta::{CanaryConfig, InvalidCase, MetricSet, MetricSetPair, Side, pair};
use serde_json::{Value, json};

fn config(names: &[&str]) -> CanaryConfig {
    let metrics: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    super::config(json!({ "metrics": metrics }))
}

fn set(name: &str, tags: &[(&str, &str)], values: &[f64]) -> MetricSet {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    MetricSet { name: name.to_owned(), tags, values: values.to_vec(), ..MetricSet::default() }
}

/// A metric set that should have so many values, one a minute.
fn expecting(points: u64, set: MetricSet) -> MetricSet {
    let start_time_millis = 1_000_000;
    let end_time_millis = start_time_millis + points * 60_000;
    MetricSet { start_time_millis, end_time_millis, step_millis: 60_000, ..set }
}

/// Each pair as its name, its tags and the values of control and experiment, NaN as such.
fn shown(pairs: &[MetricSetPair]) -> Vec<String> {
    let show = |pair: &MetricSetPair| {
        let tags: Vec<_> = pair.tags.values().cloned().collect();
        format!("{}[{}] {:?} {:?}", pair.name, tags.join(","), pair.values.control, pair.values.experiment)
    };
    pairs.iter().map(show).collect()
}

#[test]
fn sets_with_the_same_name_and_tags_belong_together() {
    let control =
        [set("b", &[("zone", "2")], &[1.0]), set("b", &[("zone", "1")], &[2.0]), set("a", &[], &[3.0])];
    let experiment =
        [set("a", &[], &[4.0]), set("b", &[("zone", "1")], &[5.0]), set("b", &[("zone", "2")], &[6.0])];
    let pairs = pair(&config(&["b", "a"]), &control, &experiment).expect("pairs");
    assert_eq!(shown(&pairs), ["b[1] [2.0] [5.0]", "b[2] [1.0] [6.0]", "a[] [3.0] [4.0]"]);
}

#[test]
fn a_set_without_partner_is_paired_with_as_many_nan_as_there_should_be_values() {
    let control = [expecting(2, set("a", &[("zone", "1")], &[1.0, 2.0]))];
    let experiment = [expecting(3, set("a", &[("zone", "2")], &[3.0, 4.0, 5.0]))];
    let pairs = pair(&config(&["a"]), &control, &experiment).expect("pairs");
    assert_eq!(shown(&pairs), ["a[1] [1.0, 2.0] [NaN, NaN, NaN]", "a[2] [NaN, NaN] [3.0, 4.0, 5.0]"]);
}

#[test]
fn a_side_that_was_empty_and_knows_no_tags_is_paired_with_each_set_of_the_other() {
    let empty = [expecting(2, set("a", &[], &[]))];
    let tagged = [set("a", &[("zone", "2")], &[1.0, 2.0]), set("a", &[("zone", "1")], &[3.0, 4.0])];
    let pairs = pair(&config(&["a"]), &empty, &tagged).expect("pairs");
    assert_eq!(shown(&pairs), ["a[1] [NaN, NaN] [3.0, 4.0]", "a[2] [NaN, NaN] [1.0, 2.0]"]);
    let pairs = pair(&config(&["a"]), &tagged, &empty).expect("pairs");
    assert_eq!(shown(&pairs), ["a[1] [3.0, 4.0] [NaN, NaN]", "a[2] [1.0, 2.0] [NaN, NaN]"]);
    // A tagged set beside the empty one is not forgotten.
    let both = [empty[0].clone(), set("a", &[("zone", "1")], &[9.0])];
    let pairs = pair(&config(&["a"]), &both, &tagged).expect("pairs");
    assert_eq!(shown(&pairs), ["a[1] [9.0] [3.0, 4.0]", "a[2] [NaN, NaN] [1.0, 2.0]"]);
}

#[test]
fn a_side_that_is_too_short_is_filled_up_and_one_that_is_longer_is_kept() {
    let control = [expecting(3, set("a", &[], &[1.0]))];
    let experiment = [expecting(1, set("a", &[], &[2.0, 3.0]))];
    let pairs = pair(&config(&["a"]), &control, &experiment).expect("pairs");
    assert_eq!(shown(&pairs), ["a[] [1.0, NaN, NaN] [2.0, 3.0]"]);
}

#[test]
fn sets_that_cannot_be_paired_are_refused() {
    let one = [set("a", &[], &[1.0])];
    let a = || "a".to_owned();
    let refused =
        |control: &[MetricSet], experiment: &[MetricSet]| pair(&config(&["a"]), control, experiment);
    assert_eq!(refused(&one, &[]), Err(InvalidCase::NoMetricSet { metric: a(), side: Side::Experiment }));
    assert_eq!(refused(&[], &one), Err(InvalidCase::NoMetricSet { metric: a(), side: Side::Control }));
    let other = [set("b", &[], &[1.0])];
    assert_eq!(refused(&one, &other), Err(InvalidCase::UnknownMetric { metric: "b".to_owned() }));
    let twice = [one[0].clone(), one[0].clone()];
    let (metric, side) = (a(), Side::Control);
    let tags = one[0].tags.clone();
    assert_eq!(refused(&twice, &one), Err(InvalidCase::DuplicateMetricSet { metric, side, tags }));
    let by_zone = [set("a", &[("zone", "1")], &[1.0])];
    let by_pod = [set("a", &[("pod", "1")], &[1.0])];
    let error = refused(&by_zone, &by_pod).expect_err("other tags");
    assert_eq!(
        error.to_string(),
        r#"metric "a" has the tags {"zone"} on the control and {"pod"} on the experiment"#
    );
    let endless = [MetricSet { end_time_millis: u64::MAX, step_millis: 1, ..one[0].clone() }];
    let error = refused(&endless, &one).expect_err("too many");
    assert_eq!(
        error.to_string(),
        "a control metric set of metric \"a\" should have 18446744073709551615 values; the most is 604800"
    );
}

#[test]
fn metric_sets_are_read_in_kayentas_format() {
    let json = r#"{
        "name": "a", "tags": {"zone": "1"}, "startTimeMillis": 0, "startTimeIso": "1970-01-01T00:00:00Z",
        "endTimeMillis": 240000, "stepMillis": 60000, "attributes": {}, "values": [1, 2.5, "NaN", null]
    }"#;
    let read: MetricSet = serde_json::from_str(json).expect("a metric set");
    assert_eq!(read.expected_values(), 4);
    assert_eq!(&read.values[..2], [1.0, 2.5]);
    assert!(read.values[2..].iter().all(|value| value.is_nan()));
    let endless: Vec<_> = ["Infinity", "-Infinity"].into();
    let infinite: MetricSet =
        serde_json::from_value(json!({ "name": "a", "values": endless })).expect("a set");
    assert_eq!(infinite.values, [f64::INFINITY, f64::NEG_INFINITY]);
    let error = serde_json::from_value::<MetricSet>(json!({ "name": "a", "values": ["none"] }))
        .expect_err("no value");
    assert_eq!(
        error.to_string(),
        r#"invalid value: string "none", expected a number, "NaN", "Infinity", "-Infinity" or null"#
    );
}
