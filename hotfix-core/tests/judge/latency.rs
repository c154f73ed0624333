//! Latency: where slow begins, and how slow requests are counted.

use hotfix_core::judge::{Increments, calibrate};
use hotfix_core::model::{Calibration, Dispersion, Reading, SlotName, Tail, TailBound};
use hotfix_core::port::{CounterSeries, History, LatencyBucket, Scrape};

use super::{at, bound, counts};

fn slot(name: &str) -> SlotName {
    SlotName::new(name).expect("a slot name")
}

/// Counters of one instance: requests, and those slower than 100 ms and than 1 s.
fn series(
    slot_name: &str,
    name: &str,
    seconds: i64,
    [requests, over_100ms, over_1s]: [f64; 3],
) -> CounterSeries {
    CounterSeries {
        slot: slot(slot_name),
        series: name.to_owned(),
        at: at(seconds),
        requests,
        errors: None,
        slow: [(bound("100ms"), over_100ms), (bound("1s"), over_1s)].into(),
    }
}

fn scrape(series: Vec<CounterSeries>) -> Scrape {
    Scrape { series, warnings: vec![] }
}

/// Increments that know a baseline with 1000 requests and a canary with none, both with latencies.
fn primed() -> Increments {
    let mut increments = Increments::new(slot("green"), Some(slot("blue")), at(100));
    increments.prime(&scrape(vec![
        series("blue", "b1", 90, [1000.0, 50.0, 10.0]),
        series("green", "g1", 90, [0.0, 0.0, 0.0]),
    ]));
    increments
}

fn tail(canary: Option<(u64, u64)>, baseline: Option<(u64, u64)>) -> Tail {
    let side = |side: Option<(u64, u64)>| side.map(|(requests, slow)| counts(requests, slow));
    Tail { canary: side(canary), baseline: side(baseline) }
}

#[test]
fn slow_requests_are_counted_once_on_both_sides() {
    let mut increments = primed();
    let sample = increments.take(
        at(115),
        &scrape(vec![
            series("green", "g1", 115, [40.0, 6.0, 1.0]),
            series("blue", "b1", 114, [1300.0, 64.0, 13.0]),
        ]),
    );
    let expected = [
        (bound("100ms"), tail(Some((40, 6)), Some((300, 14)))),
        (bound("1s"), tail(Some((40, 1)), Some((300, 3)))),
    ];
    assert_eq!(sample.tails, expected.into());
    let journaled = serde_json::to_string(&sample).unwrap();
    assert!(
        journaled.contains(r#""tails":{"100ms":{"canary":[40,6],"baseline":[300,14]},"1s":{"#),
        "{journaled}"
    );
    assert_eq!(serde_json::from_str::<hotfix_core::model::Sample>(&journaled).unwrap(), sample);
}

#[test]
fn an_instance_is_warm_after_its_first_scrape() {
    let mut increments = primed();
    let first = increments.take(
        at(115),
        &scrape(vec![
            series("green", "born", 115, [40.0, 40.0, 9.0]),
            series("blue", "b1", 115, [1100.0, 55.0, 11.0]),
        ]),
    );
    assert_eq!(first.canary, Reading::Counts(counts(40, 0)), "its requests count, its slowness does not");
    assert_eq!(first.tails[&bound("100ms")], tail(None, Some((100, 5))));
    let second = increments.take(at(130), &scrape(vec![series("green", "born", 130, [70.0, 41.0, 9.0])]));
    assert_eq!(second.tails[&bound("100ms")], tail(Some((30, 1)), None));
    let restarted = increments.take(at(145), &scrape(vec![series("green", "born", 145, [30.0, 30.0, 1.0])]));
    assert_eq!((restarted.canary, restarted.tails.len()), (Reading::Counts(counts(30, 0)), 0));
    let warm = increments.take(at(160), &scrape(vec![series("green", "born", 160, [50.0, 31.0, 1.0])]));
    assert_eq!(warm.tails[&bound("1s")], tail(Some((20, 0)), None));
}

#[test]
fn a_bound_that_is_not_known_or_makes_no_sense_leaves_the_rest_alone() {
    let mut increments = primed();
    let mut broken = series("green", "g1", 115, [40.0, 6.0, f64::NAN]);
    let sample = increments.take(at(115), &scrape(vec![broken.clone()]));
    assert_eq!(sample.canary, Reading::Counts(counts(40, 0)));
    assert_eq!(sample.tails, [(bound("100ms"), tail(Some((40, 6)), None))].into());
    broken.slow.clear();
    broken.at = at(130);
    assert_eq!(increments.take(at(130), &scrape(vec![broken])).tails.len(), 0);
}

#[test]
fn requests_that_are_under_way_while_counted_make_no_more_slow_ones_than_requests() {
    let mut increments = primed();
    let torn = scrape(vec![series("green", "g1", 115, [40.0, 41.0, 0.0])]);
    assert_eq!(increments.take(at(115), &torn).tails[&bound("100ms")], tail(Some((40, 40)), None));
}

fn bucket(bound_: &str, slower: &[u64], of: u64) -> LatencyBucket {
    LatencyBucket { bound: bound(bound_), slower: slower.to_vec(), of }
}

#[test]
fn slow_begins_where_a_twentieth_and_a_hundredth_of_the_requests_were() {
    let latency = vec![
        bucket("50ms", &[300], 1000),
        bucket("100ms", &[90], 1000),
        bucket("250ms", &[40], 1000),
        bucket("500ms", &[11], 1000),
        bucket("1s", &[8], 1000),
        bucket("2.5s", &[0], 1000),
    ];
    let chosen = |latency: Vec<LatencyBucket>| -> Vec<String> {
        let calibration = calibrate(&History { errors: vec![], latency });
        calibration.tails.iter().map(|tail| tail.over.to_string()).collect()
    };
    assert_eq!(chosen(latency.clone()), ["250ms", "500ms"], "4 % and 1.1 %");
    assert_eq!(chosen(latency[..2].to_vec()), ["100ms"], "the same is nearest to both");
    assert_eq!(chosen(latency.into_iter().rev().collect()), ["250ms", "500ms"], "in whatever order");
    let tie = vec![bucket("1s", &[1], 40), bucket("2s", &[1], 10)];
    assert_eq!(chosen(tie), ["1s"], "2.5 % and 10 % are as far from 5 %; 2.5 % is nearer to 1 %");
    for useless in [bucket("1s", &[0, 0], 100), bucket("1s", &[50, 50], 100), bucket("1s", &[], 0)] {
        assert_eq!(chosen(vec![useless]), [""; 0]);
    }
}

#[test]
fn pauses_that_were_seen_before_are_part_of_the_calibration() {
    let errors = vec![0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 0, 0];
    let slower = errors.clone();
    let history = History { errors, latency: vec![bucket("1s", &slower, 1000)] };
    let dispersion = Dispersion::new(9.818_181_818_181_818).unwrap();
    let tails = vec![TailBound { over: bound("1s"), dispersion }];
    assert_eq!(calibrate(&history), Calibration { dispersion, tails: tails.clone() });
    let calibration = Calibration { dispersion: Dispersion::NONE, tails };
    let json = serde_json::to_string(&calibration).unwrap();
    assert_eq!(json, r#"{"dispersion":1.0,"tails":[{"over":"1s","dispersion":9.818181818181818}]}"#);
    assert_eq!(serde_json::to_string(&Calibration::default()).unwrap(), r#"{"dispersion":1.0}"#);
    assert_eq!(serde_json::from_str::<Calibration>(&json).unwrap(), calibration);
}
