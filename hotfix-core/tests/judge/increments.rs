//! From raw counters to increments: births, resets, repeats, gaps.

use std::collections::BTreeMap;

use hotfix_core::judge::Increments;
use hotfix_core::model::{Missing, Reading, Sample, SlotName};
use hotfix_core::port::{CounterSeries, Scrape};

use super::{at, counts};

/// The rollout starts here.
const START: i64 = 100;

fn slot(name: &str) -> SlotName {
    SlotName::new(name).expect("a slot name")
}

fn increments() -> Increments {
    Increments::new(slot("green"), Some(slot("blue")), at(START))
}

fn series(slot_name: &str, name: &str, seconds: i64, requests: f64, errors: Option<f64>) -> CounterSeries {
    let (slot, series) = (slot(slot_name), name.to_owned());
    CounterSeries {
        slot,
        series,
        at: at(seconds),
        kind: None,
        running_since: None,
        requests,
        errors,
        slow: BTreeMap::new(),
    }
}

fn scrape(series: Vec<CounterSeries>) -> Scrape {
    Scrape { series, warnings: vec![] }
}

/// Increments that know a baseline `b1` with 1000 requests and 10 errors, and no canary.
fn primed() -> Increments {
    let mut increments = increments();
    increments.prime(&scrape(vec![series("blue", "b1", 90, 1000.0, Some(10.0))]));
    increments
}

fn baseline(seconds: i64, requests: f64) -> CounterSeries {
    series("blue", "b1", seconds, requests, Some(10.0))
}

fn read(canary: (u64, u64), baseline: (u64, u64), seconds: i64) -> Sample {
    Sample::counted(at(seconds), counts(canary.0, canary.1), counts(baseline.0, baseline.1))
}

fn missed(seconds: i64, why: Missing) -> Sample {
    Sample::missed(at(seconds), why)
}

#[test]
fn a_canary_series_born_in_the_rollout_counts_from_zero() {
    let mut increments = primed();
    let scrape = scrape(vec![series("green", "g1", 115, 40.0, Some(7.0)), baseline(114, 1300.0)]);
    assert_eq!(increments.take(at(115), &scrape), read((40, 7), (300, 0), 115));
}

#[test]
fn other_series_count_from_their_first_sight() {
    let mut increments = primed();
    let first = scrape(vec![
        series("green", "before", START - 1, 500.0, Some(50.0)),
        series("blue", "b2", 115, 800.0, Some(80.0)),
        series("red", "r1", 115, 9.0, Some(9.0)),
    ]);
    assert_eq!(increments.take(at(115), &first), read((0, 0), (0, 0), 115));
    let second = scrape(vec![
        series("green", "before", 130, 510.0, Some(51.0)),
        series("blue", "b2", 130, 820.0, Some(82.0)),
    ]);
    assert_eq!(increments.take(at(130), &second), read((10, 1), (20, 2), 130));
}

#[test]
fn the_series_of_a_side_are_summed() {
    let mut increments = primed();
    let scrape = scrape(vec![
        series("green", "g1 /a", 115, 40.0, Some(7.0)),
        series("green", "g1 /b", 115, 2.0, None),
        baseline(115, 1010.0),
    ]);
    assert_eq!(increments.take(at(115), &scrape), read((42, 7), (10, 0), 115));
}

#[test]
fn a_counter_that_drops_started_again_from_zero() {
    let mut increments = primed();
    let reset = scrape(vec![series("blue", "b1", 115, 30.0, Some(3.0))]);
    assert_eq!(increments.take(at(115), &reset).baseline, Reading::Counts(counts(30, 3)));
    let without_errors_yet = scrape(vec![series("blue", "b1", 130, 5.0, None)]);
    assert_eq!(increments.take(at(130), &without_errors_yet).baseline, Reading::Counts(counts(5, 0)));
    let first_error = scrape(vec![series("blue", "b1", 145, 9.0, Some(1.0))]);
    assert_eq!(increments.take(at(145), &first_error).baseline, Reading::Counts(counts(4, 1)));
}

#[test]
fn an_absent_error_series_is_a_real_zero() {
    let mut increments = primed();
    let gone = scrape(vec![series("blue", "b1", 115, 1200.0, None)]);
    assert_eq!(increments.take(at(115), &gone).baseline, Reading::Counts(counts(200, 0)));
    let back = scrape(vec![series("blue", "b1", 130, 1300.0, Some(12.0))]);
    assert_eq!(
        increments.take(at(130), &back).baseline,
        Reading::Counts(counts(100, 2)),
        "the ten errors from before are not counted again"
    );
}

#[test]
fn repeated_and_late_values_enter_once() {
    let mut increments = primed();
    let canary = |seconds, requests| series("green", "g1", seconds, requests, None);
    let backlog =
        scrape(vec![canary(130, 30.0), canary(115, 10.0), canary(130, 30.0), baseline(130, 1100.0)]);
    assert_eq!(increments.take(at(130), &backlog), read((30, 0), (100, 0), 130));
    assert_eq!(increments.take(at(131), &backlog), missed(131, Missing::Stale));
    let late = scrape(vec![canary(115, 10.0), baseline(145, 1150.0)]);
    let sample = increments.take(at(145), &late);
    assert_eq!((sample.canary, sample.baseline), (Reading::Absent, Reading::Counts(counts(50, 0))));
}

#[test]
fn a_side_without_series_is_absent() {
    let mut increments = primed();
    let sample = increments.take(at(115), &scrape(vec![baseline(115, 1100.0)]));
    assert_eq!((sample.canary, sample.baseline), (Reading::Absent, Reading::Counts(counts(100, 0))));
    let nothing = increments.take(at(130), &scrape(vec![]));
    assert_eq!((nothing.canary, nothing.baseline), (Reading::Absent, Reading::Absent));
}

#[test]
fn what_is_not_a_count_makes_the_scrape_missing_and_loses_nothing() {
    for (value, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-1.0, "-1")] {
        let mut increments = primed();
        let why = Missing::NotACount { series: "g1".to_owned(), value: text.to_owned() };
        for broken in [series("green", "g1", 115, value, None), series("green", "g1", 115, 5.0, Some(value))]
        {
            let scrape = scrape(vec![baseline(115, 1100.0), broken]);
            assert_eq!(increments.take(at(115), &scrape), missed(115, why.clone()));
        }
        let whole = scrape(vec![baseline(130, 1200.0), series("green", "g1", 130, 9.0, Some(1.0))]);
        assert_eq!(increments.take(at(130), &whole), read((9, 1), (200, 0), 130));
    }
}

#[test]
fn what_labels_hold_goes_into_the_journal_short_and_plain() {
    let name = format!("{{path=\"/\u{1b}[31m{}\"}}", "x".repeat(10_000));
    let told = |requests, errors| scrape(vec![series("green", &name, 115, requests, errors)]);
    let cut = format!("{{path=\"/ [31m{}", "x".repeat(187));
    let why = Missing::NotACount { series: cut.clone(), value: "NaN".to_owned() };
    assert_eq!(primed().take(at(115), &told(f64::NAN, None)), missed(115, why));
    assert_eq!(
        primed().take(at(115), &told(1.0, Some(2.0))),
        missed(115, Missing::Inconsistent { series: cut })
    );

    let mut kind = series("green", "g1", 115, 4.0, None);
    kind.kind = Some("é".repeat(10_000));
    let sample = primed().take(at(115), &scrape(vec![kind]));
    assert_eq!(sample.kinds.into_keys().collect::<Vec<_>>(), ["é".repeat(100)]);
}

#[test]
fn more_errors_than_requests_make_the_scrape_missing() {
    let mut increments = primed();
    let why = Missing::Inconsistent { series: "b1".to_owned() };
    let torn = scrape(vec![series("blue", "b1", 115, 1001.0, Some(12.0))]);
    assert_eq!(increments.take(at(115), &torn), missed(115, why));
    let whole = scrape(vec![series("blue", "b1", 130, 1004.0, Some(12.0))]);
    assert_eq!(increments.take(at(130), &whole).baseline, Reading::Counts(counts(4, 2)));
}

#[test]
fn warnings_make_the_scrape_missing() {
    let mut increments = primed();
    let partial =
        Scrape { series: vec![baseline(115, 1100.0)], warnings: vec!["store 3 did not answer".to_owned()] };
    let why = Missing::Warned { warning: "store 3 did not answer".to_owned() };
    assert_eq!(increments.take(at(115), &partial), missed(115, why));
}

#[test]
fn largest_counters_do_not_overflow() {
    let mut increments = primed();
    let most = u64::MAX as f64;
    let scrape = scrape(vec![
        series("green", "g1", 115, most, Some(most)),
        series("green", "g2", 115, most, Some(most)),
        baseline(115, 1000.5),
    ]);
    assert_eq!(increments.take(at(115), &scrape), read((u64::MAX, u64::MAX), (0, 0), 115));
}

#[test]
fn the_state_survives_an_interruption() {
    let mut increments = primed();
    increments.take(at(115), &scrape(vec![series("green", "g1", 115, 40.0, None)]));
    let stored = serde_json::to_string(&increments).unwrap();
    let mut restored: Increments = serde_json::from_str(&stored).unwrap();
    assert_eq!(restored, increments);

    let next = scrape(vec![series("green", "g1", 130, 55.0, None), baseline(130, 1100.0)]);
    assert_eq!(restored.take(at(130), &next), increments.take(at(130), &next));

    let mut anew = Increments::new(slot("green"), Some(slot("blue")), at(START));
    anew.prime(&next);
    let last = scrape(vec![series("green", "g1", 145, 60.0, None), baseline(145, 1101.0)]);
    assert_eq!(anew.take(at(145), &last), read((5, 0), (1, 0), 145));
}

#[test]
fn a_counter_that_drops_while_its_instance_runs_on_is_not_counted_from_zero() {
    let told = |seconds, requests, errors, since: Option<i64>| {
        let series = series("blue", "b1", seconds, requests, errors);
        Scrape { series: vec![CounterSeries { running_since: since.map(at), ..series }], warnings: vec![] }
    };
    let counted = |since| {
        let mut increments =
            Increments::new("green".parse().unwrap(), Some("blue".parse().unwrap()), at(100));
        increments.prime(&told(100, 1000.0, Some(30.0), None));
        [(115, 990.0, 20.0), (130, 1090.0, 10.0), (145, 1100.0, 12.0)].map(|(seconds, requests, errors)| {
            increments.take(at(seconds), &told(seconds, requests, Some(errors), since)).baseline
        })
    };
    let counts = |requests, errors| Reading::Counts(counts(requests, errors));
    assert_eq!(counted(Some(90)), [counts(0, 0), counts(100, 0), counts(10, 2)]);
    assert_eq!(counted(None), [counts(990, 20), counts(100, 10), counts(10, 2)], "nobody knows");
    assert_eq!(counted(Some(110))[0], counts(990, 20), "it started since the look before");
}
