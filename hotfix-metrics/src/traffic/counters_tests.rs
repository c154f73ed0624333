//! Answers of all kinds, and what is counted of them.

use serde_json::{Value, json};

use super::*;
use crate::traffic::{LabelsConfig, TrafficConfig};

/// One series: its labels, and its samples as seconds and value.
type Written<'a> = (&'a str, &'a [(i64, f64)]);

fn answer(series: &[Written<'_>]) -> Arc<Answer> {
    let result = series.iter().map(|(labels, samples)| {
        let labels = labels.split(',').map(|label| label.split_once('=').unwrap());
        let metric: serde_json::Map<_, _> =
            labels.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let values: Vec<_> = samples.iter().map(|(at, value)| json!([at, value.to_string()])).collect();
        json!({"metric": metric, "values": values})
    });
    parse(result.collect())
}

fn parse(result: Vec<Value>) -> Arc<Answer> {
    let body = json!({"status": "success", "data": {"resultType": "matrix", "result": result}});
    Arc::new(Answer::parse(body.to_string().as_bytes()).unwrap())
}

fn bound(millis: u64) -> LatencyBound {
    LatencyBound::from_micros(millis * 1000).unwrap()
}

fn with<T>(config: &TrafficConfig, answer: Arc<Answer>, read: impl FnOnce(&Counters<'_>) -> T) -> T {
    let reading = Reading::new(config).unwrap();
    let slots = ["blue".parse().unwrap(), "green".parse().unwrap()];
    let answers = [(&reading.parts[0].meaning, answer)];
    read(&Counters::new(&reading, &"production/shop".parse().unwrap(), &slots, &answers))
}

/// Slot and name, seconds, requests, errors and slower requests.
type Row = (String, i64, f64, Option<f64>, Vec<f64>);

fn newest(answer: Arc<Answer>, bounds: &[LatencyBound]) -> Vec<Row> {
    let series = with(&TrafficConfig::default(), answer, |counters| counters.newest(bounds));
    let row = |series: CounterSeries| {
        let name = format!("{}{}", series.slot, series.series);
        let slow = series.slow.into_values().collect();
        (name, series.at.timestamp(), series.requests, series.errors, slow)
    };
    series.into_iter().map(row).collect()
}

const OK: &str = "__name__=http_requests_total,code=200,pod=a,slot=blue";
const BAD: &str = "__name__=http_requests_total,code=503,pod=a,slot=blue";

fn name(slot: &str) -> String {
    format!("{slot}{{pod=\"a\",slot=\"{slot}\"}}")
}

#[test]
fn the_statuses_of_an_instance_are_one_counter() {
    let found = newest(answer(&[(OK, &[(15, 5.0), (30, 7.0)]), (BAD, &[(30, 2.0)])]), &[]);
    assert_eq!(found, [(name("blue"), 30, 9.0, Some(2.0), vec![])]);
    assert_eq!(newest(answer(&[(OK, &[(15, 5.0)])]), &[]), [(name("blue"), 15, 5.0, None, vec![])]);
}

#[test]
fn slots_that_were_not_asked_for_and_metrics_that_mean_nothing_are_left_out() {
    let stray = "__name__=http_requests_total,code=200,pod=a,slot=red";
    let other = "__name__=http_request_duration_seconds_sum,pod=a,slot=blue";
    assert_eq!(newest(answer(&[(stray, &[(15, 5.0)]), (other, &[(15, 5.0)])]), &[]), []);
}

#[test]
fn what_was_counted_before_a_restart_is_told_too() {
    let series: [Written<'_>; 2] =
        [(OK, &[(15, 50.0), (30, 60.0), (45, 4.0), (60, 9.0)]), (BAD, &[(30, 3.0), (60, 1.0)])];
    let found = newest(answer(&series), &[]);
    assert_eq!(
        found,
        [(name("blue"), 30, 63.0, Some(3.0), vec![]), (name("blue"), 60, 10.0, Some(1.0), vec![])]
    );
}

#[test]
fn a_restart_under_another_status_is_seen() {
    let found = newest(answer(&[(BAD, &[(15, 5.0)]), (OK, &[(30, 6.0)])]), &[]);
    assert_eq!(found, [(name("blue"), 15, 5.0, Some(5.0), vec![]), (name("blue"), 30, 6.0, None, vec![])]);
}

#[test]
fn a_status_that_is_no_longer_told_takes_nothing_away() {
    let found = newest(answer(&[(OK, &[(15, 50.0), (30, 60.0)]), (BAD, &[(15, 3.0)])]), &[]);
    assert_eq!(found, [(name("blue"), 30, 63.0, Some(3.0), vec![])]);
}

#[test]
fn a_status_that_is_no_longer_told_looks_like_no_restart_when_it_is_forgotten() {
    let looked = |ok: &[(i64, f64)], bad: &[(i64, f64)]| {
        let series: Vec<Written<'_>> =
            [(OK, ok), (BAD, bad)].into_iter().filter(|(_, v)| !v.is_empty()).collect();
        let series = with(&TrafficConfig::default(), answer(&series), |counters| counters.newest(&[]));
        hotfix_core::port::Scrape { series, warnings: vec![] }
    };
    let start = DateTime::from_timestamp(0, 0).unwrap();
    let mut increments =
        hotfix_core::judge::Increments::new("green".parse().unwrap(), Some("blue".parse().unwrap()), start);
    increments.prime(&looked(&[(15, 5000.0), (30, 5100.0)], &[(15, 40.0), (30, 40.0)]));
    let mut take = |ok: &[(i64, f64)], bad: &[(i64, f64)]| increments.take(start, &looked(ok, bad)).baseline;
    let counts = |requests, errors| {
        hotfix_core::model::Reading::Counts(hotfix_core::model::Counts::new(requests, errors).unwrap())
    };
    // Within the window its last value stands.
    assert_eq!(take(&[(30, 5100.0), (45, 5190.0)], &[(30, 40.0)]), counts(90, 0));
    // Behind it the sum drops by 40 and rises by 10: it is not counted from zero.
    assert_eq!(take(&[(45, 5190.0), (60, 5200.0)], &[]), counts(0, 0));
    assert_eq!(take(&[(60, 5200.0), (75, 5260.0)], &[]), counts(60, 0));
    // A restart is one.
    assert_eq!(take(&[(75, 5260.0), (90, 7.0)], &[(90, 2.0)]), counts(9, 2));
}

#[test]
fn a_sample_that_comes_late_is_counted_with_the_next() {
    let series = |ok: &[(i64, f64)], bad: &[(i64, f64)]| {
        with(&TrafficConfig::default(), answer(&[(OK, ok), (BAD, bad)]), |counters| counters.newest(&[]))
    };
    let look = |ok: &[(i64, f64)], bad: &[(i64, f64)]| {
        let [found] = &series(ok, bad)[..] else { panic!("one series") };
        (found.requests, found.errors, found.running_since.map(|at| at.timestamp()))
    };
    assert_eq!(look(&[(15, 50.0), (30, 60.0)], &[(15, 3.0)]), (63.0, Some(3.0), Some(15)));
    assert_eq!(
        look(&[(15, 50.0), (30, 60.0), (45, 70.0)], &[(15, 3.0), (30, 5.0), (45, 5.0)]),
        (75.0, Some(5.0), Some(15))
    );
}

#[test]
fn slower_requests_are_counted_where_there_is_a_bucket() {
    let bucket = |le: &str| format!("__name__=http_request_duration_seconds_bucket,le={le},pod=a,slot=blue");
    let (quarter, one, all) = (bucket("0.25"), bucket("1.0"), bucket("+Inf"));
    let found = newest(
        answer(&[(OK, &[(30, 10.0)]), (&quarter, &[(30, 4.0)]), (&one, &[(30, 9.0)]), (&all, &[(30, 10.0)])]),
        &[bound(250), bound(300), bound(1000)],
    );
    assert_eq!(found, [(name("blue"), 30, 10.0, None, vec![6.0, 1.0])]);
}

#[test]
fn a_bucket_that_holds_no_number_tells_nothing() {
    let bucket = |le: &str| format!("__name__=http_request_duration_seconds_bucket,le={le},pod=a,slot=blue");
    let (quarter, all) = (bucket("0.25"), bucket("+Inf"));
    for lie in [f64::NAN, f64::INFINITY] {
        let series = [(OK, &[(30, 10.0)][..]), (&quarter, &[(30, lie)]), (&all, &[(30, 10.0)])];
        let found = newest(answer(&series), &[bound(250)]);
        assert_eq!(found, [(name("blue"), 30, 10.0, None, vec![])], "{lie}");
    }
}

#[test]
fn a_histogram_that_misses_the_bound_for_one_status_tells_nothing() {
    let bucket = |le: &str, code: &str| {
        format!("__name__=http_request_duration_seconds_bucket,code={code},le={le},pod=a,slot=blue")
    };
    let (known, all, other) = (bucket("0.25", "200"), bucket("+Inf", "200"), bucket("+Inf", "503"));
    let found = newest(
        answer(&[(OK, &[(30, 10.0)]), (&known, &[(30, 4.0)]), (&all, &[(30, 10.0)]), (&other, &[(30, 1.0)])]),
        &[bound(250)],
    );
    assert_eq!(found, [(name("blue"), 30, 10.0, None, vec![])]);
}

#[test]
fn a_native_histogram_counts_requests_and_slower_ones() {
    let config = TrafficConfig { convention: crate::Convention::OpenTelemetry, ..TrafficConfig::default() };
    let series = |code: &str, count: &str| {
        let buckets = json!([[0, "0.125", "0.25", "3"], [0, "0.5", "1", "2"]]);
        json!({"metric": {"__name__": "http_server_request_duration_seconds", "http_response_status_code": code, "slot": "blue"},
            "histograms": [[30, {"count": count, "sum": "1", "buckets": buckets}]]})
    };
    let found = with(&config, parse(vec![series("200", "5"), series("500", "5")]), |counters| {
        counters.newest(&[bound(250), bound(300)])
    });
    let [found] = &found[..] else { panic!("{found:?}") };
    assert_eq!((found.requests, found.errors), (10.0, Some(5.0)));
    assert_eq!(found.slow, BTreeMap::from([(bound(250), 4.0)]));
}

#[test]
fn a_histogram_beside_its_native_twin_counts_once() {
    let config = TrafficConfig { convention: crate::Convention::OpenTelemetry, ..TrafficConfig::default() };
    let name = "http_server_request_duration_seconds";
    let found = with(
        &config,
        parse(vec![
            json!({"metric": {"__name__": name, "slot": "blue"}, "histograms": [[30, {"count": "5", "sum": "1"}]]}),
            json!({"metric": {"__name__": format!("{name}_count"), "slot": "blue"}, "values": [[30, "5"]]}),
        ]),
        |counters| counters.newest(&[]),
    );
    assert_eq!((found.len(), found[0].requests), (1, 5.0));
}

#[test]
fn labels_that_only_the_counter_has_are_added_up() {
    let labels = LabelsConfig { ignore: Some(vec!["route".to_owned()]), ..LabelsConfig::default() };
    let config = TrafficConfig { labels, ..TrafficConfig::default() };
    let route = |route: &str| format!("__name__=http_requests_total,code=200,pod=a,route={route},slot=blue");
    let (cart, pay) = (route("cart"), route("pay"));
    let found = with(&config, answer(&[(&cart, &[(30, 4.0)]), (&pay, &[(30, 5.0)])]), |c| c.newest(&[]));
    assert_eq!((found.len(), found[0].requests), (1, 9.0));
}

#[test]
fn kinds_of_requests_are_told_where_they_are_asked_for() {
    let route = |route: &str, code: &str| {
        format!("__name__=http_requests_total,code={code},pod=a,route={route},slot=blue")
    };
    let told = |kind: Option<&str>| {
        let labels = LabelsConfig { kind: kind.map(ToOwned::to_owned), ..LabelsConfig::default() };
        let config = TrafficConfig { labels, ..TrafficConfig::default() };
        let (cart, pay, failed) = (route("cart", "200"), route("pay", "200"), route("pay", "500"));
        let series = answer(&[(&cart, &[(30, 4.0)]), (&pay, &[(30, 5.0)]), (&failed, &[(30, 1.0)])]);
        let found = with(&config, series, |counters| counters.newest(&[]));
        found.into_iter().map(|series| (series.kind, series.requests)).collect::<Vec<_>>()
    };
    let kind = |name: &str| Some(name.to_owned());
    assert_eq!(told(Some("route")), [(kind("cart"), 4.0), (kind("pay"), 6.0)]);
    assert_eq!(told(Some("nowhere")), [(kind(""), 4.0), (kind(""), 6.0)]);
    assert_eq!(told(None), [(None, 4.0), (None, 6.0)]);
}

#[test]
fn an_interval_in_which_an_instance_tells_no_number_is_no_history() {
    let other = BAD.replace("pod=a", "pod=b");
    for lie in [f64::NAN, f64::INFINITY] {
        let bad = [(0, 0.0), (15, 1.0), (30, lie), (45, 3.0), (60, 7.0)];
        let quiet = [0, 15, 30, 45, 60].map(|at| (at, 5.0));
        let series = [(OK, &quiet[..]), (BAD, &bad), (&other, &quiet)];
        let history = with(&TrafficConfig::default(), answer(&series), |counters| counters.history(15_000));
        assert_eq!(history.errors, [1, 4], "{lie}: the intervals before and after it are not known");
    }
}

#[test]
fn the_history_is_what_happened_in_each_known_interval() {
    let bucket = |le: &str| format!("__name__=http_request_duration_seconds_bucket,le={le},pod=a,slot=blue");
    let (quarter, all) = (bucket("0.25"), bucket("+Inf"));
    let times = |values: [f64; 5]| [0, 15, 30, 60, 75].into_iter().zip(values).collect::<Vec<_>>();
    let history = with(
        &TrafficConfig::default(),
        answer(&[
            (OK, &times([10.0, 20.0, 30.0, 40.0, 5.0])),
            // Born in the second interval; the fourth one is not known; then the instance starts anew.
            (BAD, &[(30, 2.0), (60, 9.0), (75, 1.0)]),
            (&quarter, &times([8.0, 17.0, 26.0, 33.0, 2.0])),
            (&all, &times([10.0, 20.0, 32.0, 49.0, 6.0])),
        ]),
        |counters| counters.history(15_000),
    );
    assert_eq!(history.errors, [0, 2, 1]);
    assert_eq!(history.latency, [LatencyBucket { bound: bound(250), slower: vec![1, 3, 4], of: 28 }]);
}
