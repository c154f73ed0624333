//! Latency: where slow begins, how slow requests are counted, and what follows from them.

use hotfix_core::decide::Verification;
use hotfix_core::judge::{Increments, calibrate};
use hotfix_core::model::{
    Calibration, Counts, Dispersion, JudgeSettings, Pace, Reading, Reason, Ruling, Sample, SlotName,
    StatisticWeights, Tail, TailBound, VerificationRules,
};
use hotfix_core::port::{CounterSeries, History, LatencyBucket, Scrape};

use super::{at, bound, counts, gate, look, look_until_decided, rules, scrape as errors};

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
        kind: None,
        running_since: None,
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
    let tails = vec![TailBound { over: bound("1s"), dispersion, usual: counts(1000, 18) }];
    assert_eq!(calibrate(&history), Calibration { dispersion, tails: tails.clone() });
    let calibration = Calibration { dispersion: Dispersion::NONE, tails };
    let json = serde_json::to_string(&calibration).unwrap();
    let usual = r#","usual":[1000,18]"#;
    assert_eq!(
        json,
        format!(r#"{{"dispersion":1.0,"tails":[{{"over":"1s","dispersion":9.818181818181818{usual}}}]}}"#)
    );
    assert_eq!(serde_json::to_string(&Calibration::default()).unwrap(), r#"{"dispersion":1.0}"#);
    assert_eq!(serde_json::from_str::<Calibration>(&json).unwrap(), calibration);
    // An older journal does not say what was usual, and is written as it was.
    let older = json.replace(usual, "");
    let read: Calibration = serde_json::from_str(&older).unwrap();
    assert_eq!((read.tails[0].usual, serde_json::to_string(&read).unwrap()), (Counts::NONE, older));
}

/// A rollout at 10 % that goes on to 100 %, after a baseline of which 5 % and 1 % were above 250 ms and 1 s.
fn alone(last_baseline: (u64, u64)) -> Verification {
    let tail = |over: &str, slow| TailBound {
        over: bound(over),
        dispersion: Dispersion::NONE,
        usual: counts(45_000, slow),
    };
    let tails = vec![tail("250ms", 2250), tail("1s", 450)];
    let calibration = Calibration { dispersion: Dispersion::NONE, tails };
    let mut rollout = Verification::new(&VerificationRules::default(), gate(50), 1, calibration).unwrap();
    let (over_250ms, over_1s) = last_baseline;
    for _ in 0..4 {
        let sample = errors((375, 0), (375, 0));
        let slow = |sample: Sample, over: &str, slow: u64| {
            sample.with_tail(bound(over), counts(375, slow), counts(375, slow))
        };
        look(&mut rollout, &slow(slow(sample, "250ms", over_250ms), "1s", over_1s));
    }
    rollout.next_gate(gate(100));
    rollout
}

/// A scrape of 750 requests without a baseline, in which so many were slow.
fn late_alone(over_250ms: u64, over_1s: u64) -> Sample {
    let tail = |slow| Tail { canary: Some(counts(750, slow)), baseline: None };
    let mut sample = errors((750, 0), (0, 0));
    sample.baseline = Reading::Absent;
    sample.tails = [(bound("250ms"), tail(over_250ms)), (bound("1s"), tail(over_1s))].into();
    sample
}

#[test]
fn alone_at_a_hundred_percent_latency_is_held_against_what_was_usual() {
    // 20 % and 5 % where 5 % and 1 % were usual.
    let mut rollout = alone((19, 4));
    let (looks, ruling) = look_until_decided(&mut rollout, &late_alone(150, 38));
    assert_eq!(looks, 3);
    assert_eq!(
        ruling.to_string(),
        "roll back: canary 0 errors in 2250 requests, 450 of 2250 over 250ms (evidence 562 ≥ 100)"
    );
    let Ruling::RollBack { reasons } = ruling else { panic!("{ruling}") };
    assert!(matches!(&reasons[..], [Reason::Harm { seen, .. }] if seen.slow.is_some()));
}

#[test]
fn alone_at_a_hundred_percent_twice_what_was_usual_is_tolerated() {
    let mut rollout = alone((19, 4));
    let (looks, ruling) = look_until_decided(&mut rollout, &late_alone(75, 15));
    assert!(matches!(ruling, Ruling::Promote { .. }), "after {looks}: {ruling}");
    assert!(rollout.evidence().statistics.log_latency < 0.0);
}

#[test]
fn a_service_that_is_slow_on_both_sides_is_not_held_against_better_times() {
    // An incident makes a fifth of all requests slow, with and without the fix.
    let mut rollout = alone((75, 19));
    let (looks, ruling) = look_until_decided(&mut rollout, &late_alone(150, 38));
    assert!(matches!(ruling, Ruling::Promote { .. }), "after {looks}: {ruling}");
}

/// A rollout at 10 % whose baseline has some 5 % of its requests above 250 ms and 1 % above 1 s.
fn rollout(rules: &VerificationRules) -> Verification {
    let tails = ["250ms", "1s"].map(|over| TailBound {
        over: bound(over),
        dispersion: Dispersion::NONE,
        usual: Counts::NONE,
    });
    let calibration = Calibration { dispersion: Dispersion::NONE, tails: tails.into() };
    Verification::new(rules, gate(10), 3, calibration).expect("rules that can be kept")
}

/// A scrape without errors in which so many of 75 canary and 36 and 7 of 675 baseline requests were slow.
fn late(over_250ms: u64, over_1s: u64) -> Sample {
    errors((75, 0), (675, 0)).with_tail(bound("250ms"), counts(75, over_250ms), counts(675, 36)).with_tail(
        bound("1s"),
        counts(75, over_1s),
        counts(675, 7),
    )
}

#[test]
fn a_canary_that_is_slower_is_rolled_back_and_the_reason_says_how_slow() {
    let mut rollout = rollout(&VerificationRules::default());
    let (looks, ruling) = look_until_decided(&mut rollout, &late(24, 5));
    assert_eq!(looks, 2, "no single scrape decides");
    assert_eq!(
        ruling.to_string(),
        "roll back: canary 0 errors in 150 requests against 0 in 1350, \
         48 of 150 over 250ms against 72 of 1350 (evidence 103 ≥ 100)"
    );
    let Ruling::RollBack { reasons } = ruling else { panic!("{ruling}") };
    assert!(matches!(&reasons[..], [Reason::Harm { seen, .. }] if seen.slow.is_some()));
}

#[test]
fn half_as_many_slow_requests_again_are_tolerated() {
    let mut rollout = rollout(&VerificationRules::default());
    let (_, ruling) = look_until_decided(&mut rollout, &late(6, 1));
    assert!(matches!(ruling, Ruling::Promote { .. }), "{ruling}");
    assert!(rollout.evidence().statistics.log_latency < 0.0);
}

#[test]
fn errors_are_named_when_it_is_they_that_tell() {
    let mut rollout = rollout(&VerificationRules::default());
    let broken = Sample { tails: late(8, 2).tails, ..errors((75, 75), (675, 0)) };
    let (looks, ruling) = look_until_decided(&mut rollout, &broken);
    assert_eq!(looks, 2);
    let Ruling::RollBack { reasons } = ruling else { panic!("{ruling}") };
    assert!(matches!(&reasons[..], [Reason::Harm { seen, .. }] if seen.slow.is_none()));
}

#[test]
fn a_tail_of_one_side_or_of_another_bound_tells_nothing() {
    let mut rollout = rollout(&VerificationRules::default());
    let untimed = |sample: &Sample| Sample { tails: [].into(), ..sample.clone() };
    look(&mut rollout, &untimed(&late(0, 0)));
    let unknown = rollout.evidence().statistics.log_latency;
    assert!(unknown.abs() < 1e-12, "{unknown}");
    let alone = Tail { canary: Some(counts(75, 75)), baseline: None };
    let mut elsewhere = untimed(&late(0, 0)).with_tail(bound("2s"), counts(75, 75), counts(675, 0));
    elsewhere.tails.insert(bound("1s"), alone);
    for _ in 0..3 {
        look(&mut rollout, &elsewhere);
    }
    assert!(rollout.evidence().statistics.log_latency.abs() < 1e-12);
    assert_eq!(rollout.evidence().slow.map(|slow| slow.totals.canary.requests()), Some(0));
}

#[test]
fn without_latencies_the_errors_have_their_share() {
    let harm = |rules: VerificationRules, tails: usize| {
        let tail = TailBound { over: bound("1s"), dispersion: Dispersion::NONE, usual: Counts::NONE };
        let calibration = Calibration { dispersion: Dispersion::NONE, tails: vec![tail; tails] };
        let mut rollout = Verification::new(&rules, gate(10), 3, calibration).unwrap();
        rollout.observe(&errors((75, 9), (675, 1)), &[]).0.statistics.log_harm
    };
    let weighted = |errors, latency| {
        let weights = StatisticWeights { errors, latency, ceiling: 0.25 };
        rules(JudgeSettings { weights, ..JudgeSettings::default() }, Pace::default())
    };
    assert_eq!(harm(weighted(0.5, 0.25), 0).to_bits(), harm(weighted(0.75, 0.0), 0).to_bits());
    assert!(harm(weighted(0.5, 0.25), 1) < harm(weighted(0.5, 0.25), 0));
}

#[test]
fn alone_at_a_hundred_percent_nothing_is_late_where_nothing_is_known_of_before() {
    let mut rollout = rollout(&VerificationRules::default());
    look(&mut rollout, &late(10, 2));
    let before = rollout.evidence().statistics.log_latency;
    rollout.next_gate(gate(100));
    look(&mut rollout, &late(75, 75));
    assert_eq!(rollout.evidence().statistics.log_latency.to_bits(), before.to_bits());
}

#[test]
fn below_the_floor_nothing_is_harm() {
    let rare = |floor| {
        let rules = rules(JudgeSettings { floor, ..JudgeSettings::default() }, Pace::default());
        let mut rollout = Verification::new(&rules, gate(10), 3, Dispersion::NONE).unwrap();
        // 0.04 % against 0.001 %.
        look_until_decided(&mut rollout, &errors((10_000, 4), (90_000, 1)))
    };
    assert!(matches!(rare(None), (2, Ruling::RollBack { .. })), "{:?}", rare(None));
    assert!(matches!(rare(Some(0.001)), (4, Ruling::Promote { .. })), "{:?}", rare(Some(0.001)));
    let common = |floor| {
        let rules = rules(JudgeSettings { floor, ..JudgeSettings::default() }, Pace::default());
        let mut rollout = Verification::new(&rules, gate(10), 3, Dispersion::NONE).unwrap();
        look_until_decided(&mut rollout, &errors((1000, 10), (9000, 9))).0
    };
    assert_eq!(common(Some(0.001)), common(None), "1 % against 0.1 % is found as fast");
}
