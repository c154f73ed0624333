//! Simple rules: how they are written, and what they see.

use hotfix_core::decide::Verification;
use hotfix_core::model::{
    Calibration, JudgeSettings, Measure, Pace, Reason, Ruling, Sample, Span, StatisticWeights, Tail,
    Threshold, VerificationRules,
};

use super::{at, bound, counts, gate, look, scrape};

fn rule(text: &str) -> Threshold {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// A rollout with one simple rule, whose judge is kept from having an opinion.
fn rollout(text: &str) -> Verification {
    let rules = VerificationRules {
        judge: JudgeSettings {
            weights: StatisticWeights { errors: 0.001, latency: 0.0, ceiling: 0.0 },
            alpha: 1e-9,
            suspicion: 9e8,
            ..JudgeSettings::standard()
        },
        pace: Pace { min_dwell: 100, max_dwell: 100, ..Pace::default() },
        thresholds: vec![rule(text)],
    };
    Verification::new(&rules, gate(10), 3, Calibration::default()).expect("rules that can be kept")
}

fn after(seconds: i64, sample: Sample) -> Sample {
    Sample { at: at(seconds), ..sample }
}

/// Requests and errors of the canary and of the baseline.
type Answers = [(u64, u64); 2];

/// What a rule says after each of some scrapes, 15 seconds apart.
fn says(text: &str, scrapes: &[Answers]) -> Vec<Option<String>> {
    let mut rollout = rollout(text);
    let mut says = |(number, [canary, baseline]): (i64, &Answers)| {
        let ruling = look(&mut rollout, &after(15 * number, scrape(*canary, *baseline)));
        let broken = |reason: &&Reason| matches!(reason, Reason::ThresholdExceeded { .. });
        let broken = ruling.reasons().iter().find(broken).map(ToString::to_string);
        assert!(broken.is_none() || matches!(ruling, Ruling::RollBack { .. }));
        broken
    };
    (0..).zip(scrapes).map(&mut says).collect()
}

#[test]
fn a_rule_is_one_line_and_reads_back() {
    for (text, written) in [
        ("error rate over 5.0 % within 10 minutes", "error rate over 5 % within 10m"),
        ("error rate over 0.25% within 90s", "error rate over 0.25 % within 1m30s"),
        (
            "error  rate 50 % over baseline in 3 scrapes in a row",
            "error rate 50 % over baseline in 3 scrapes in a row",
        ),
        ("error rate over 1 % in 1 scrape", "error rate over 1 % in 1 scrape"),
        (
            "p95 over 500 ms in 5 scrapes of at least 200 requests",
            "p95 over 500ms in 5 scrapes of at least 200 requests",
        ),
        ("p99.9 over 2.5s within 1 hour of at least 50 requests", "p99.9 over 2.5s within 1h"),
    ] {
        let threshold = rule(text);
        assert_eq!(threshold.to_string(), written);
        assert_eq!(rule(written), threshold);
        let json = serde_json::to_string(&threshold).unwrap();
        assert_eq!(serde_json::from_str::<Threshold>(&json).unwrap(), threshold);
    }
    let measure = Measure::ErrorRate { over: "5 %".parse().unwrap() };
    let span = Span::Within("10m".parse().unwrap());
    assert_eq!(Threshold::new(measure, span), Ok(rule("error rate over 5.0 % within 10 minutes")));
    assert_eq!(rule("p95 over 500ms in 5 scrapes").bound(), Some(bound("500ms")));
}

#[test]
fn what_makes_no_rule_is_refused_with_the_part_that_is_wrong() {
    for (text, what, value) in [
        ("", "threshold", ""),
        ("error rate over 5 %", "threshold", "error rate over 5 %"),
        ("error rate above 5 % within 10m", "threshold", "error rate above 5 % within 10m"),
        ("errors over 5 % within 10m", "threshold", "errors over 5 % within 10m"),
        ("error rate over five % within 10m", "percentage", "five %"),
        ("error rate over 5 % within 10", "period", "10"),
        ("error rate over 5 % within 0s", "time of a threshold", "0s"),
        ("error rate over 100 % within 1m", "error rate", "100 %"),
        ("error rate over 5 % in 0 scrapes", "scrapes of a threshold", "0"),
        ("error rate over 5 % in 3 scrapes in row", "threshold", "error rate over 5 % in 3 scrapes in row"),
        ("error rate over 5 % within 1m of at least 0 requests", "requests of a threshold", "0"),
        ("error rate over 5 % within 1m please", "threshold", "error rate over 5 % within 1m please"),
        ("p95 over 500 in 5 scrapes", "latency bound", "500"),
        ("p40 over 1s in 5 scrapes", "percentile", "40 %"),
        ("p100 over 1s in 5 scrapes", "percentile", "100 %"),
    ] {
        let error = text.parse::<Threshold>().unwrap_err();
        assert_eq!((error.what(), error.value()), (what, value), "{text}");
    }
    let error = "error rate".parse::<Threshold>().unwrap_err();
    assert!(error.to_string().contains(r#"such as "error rate over 5 % within 10m""#), "{error}");
}

#[test]
fn a_rate_over_a_time_counts_what_was_answered_in_it() {
    let text = "error rate over 5.0 % within 30 seconds";
    let quiet = [(75, 3), (675, 0)];
    let loud = [(75, 6), (675, 0)];
    assert_eq!(
        says(text, &[quiet, loud, loud, quiet, quiet]),
        [
            None,
            Some("error rate over 5 % within 30s: canary 9 errors in 150 requests".to_owned()),
            Some("error rate over 5 % within 30s: canary 12 errors in 150 requests".to_owned()),
            Some("error rate over 5 % within 30s: canary 9 errors in 150 requests".to_owned()),
            None,
        ]
    );
    assert_eq!(says(text, &[[(49, 49), (0, 0)]]), [None], "too few requests to say");
    assert_eq!(
        says("error rate over 4 % in 1 scrape", &[[(75, 3), (0, 0)], [(75, 4), (0, 0)]])
            .iter()
            .flatten()
            .count(),
        1
    );
}

#[test]
fn scrapes_beyond_the_limit_are_counted_in_a_row_or_in_all() {
    let (bad, good, tiny) = ([(100, 9), (900, 0)], [(100, 1), (900, 0)], [(10, 10), (900, 0)]);
    let scrapes = [bad, bad, good, bad, tiny, bad, bad];
    let fires = |text: &str| -> Vec<bool> { says(text, &scrapes).iter().map(Option::is_some).collect() };
    let in_a_row = fires("error rate over 5 % in 3 scrapes in a row");
    assert_eq!(in_a_row, [false, false, false, false, false, false, true], "too few requests break no row");
    assert_eq!(fires("error rate over 5 % in 3 scrapes"), [false, false, false, true, true, true, true]);
}

#[test]
fn a_rate_over_the_baseline_compares_the_same_time_at_one_weight() {
    let text = "error rate 50 % over baseline within 10m";
    assert_eq!(
        says(text, &[[(100, 3), (900, 18)], [(100, 4), (900, 18)]]),
        [None, Some("error rate 50 % over baseline within 10m: canary 7 errors in 200 requests against 36 in 1800".to_owned())]
    );
    // An incident that both sides had at the first weight is not held against the second.
    let mut rollout = rollout(text);
    look(&mut rollout, &scrape((75, 0), (675, 0)));
    rollout.next_gate(gate(75));
    let ruling = look(&mut rollout, &after(15, scrape((562, 28), (188, 9))));
    assert!(matches!(ruling, Ruling::Hold { .. }), "{ruling}");
    rollout.next_gate(gate(100));
    let ruling = look(&mut rollout, &after(30, scrape((750, 700), (0, 0))));
    assert!(!ruling.to_string().contains("over baseline"), "{ruling}");
}

#[test]
fn a_percentile_counts_requests_beyond_its_bound() {
    let mut rollout = rollout("p95 over 500ms in 2 scrapes in a row");
    let late = |slow| scrape((100, 0), (900, 0)).with_tail(bound("500ms"), counts(100, slow), counts(900, 0));
    for (slow, fires) in [(6, false), (5, false), (6, false), (7, true)] {
        let ruling = look(&mut rollout, &late(slow));
        assert_eq!(matches!(ruling, Ruling::RollBack { .. }), fires, "{slow}: {ruling}");
    }
    assert_eq!(
        look(&mut rollout, &late(8)).to_string(),
        "roll back: p95 over 500ms in 2 scrapes in a row: canary 8 of 100 over 500ms"
    );
}

#[test]
fn a_percentile_of_which_nothing_is_known_is_not_health() {
    let mut rollout = rollout("p99 over 2s within 10m");
    let untold = scrape((100, 0), (900, 0));
    for _ in 0..3 {
        assert!(matches!(look(&mut rollout, &untold).reasons(), [Reason::Gathering { .. }]));
    }
    let ruling = look(&mut rollout, &untold);
    assert_eq!(
        ruling.to_string(),
        "hold: p99 over 2s within 10m: nothing is known in 4 scrapes in a row; \
         check that the metrics count requests at this bound"
    );
    let canary_only = Tail { canary: Some(counts(100, 0)), baseline: None };
    let told = Sample { tails: [(bound("2s"), canary_only)].into(), ..untold };
    assert!(matches!(look(&mut rollout, &told).reasons(), [Reason::Gathering { .. }]));
}

#[test]
fn a_missed_scrape_and_a_replay_change_nothing() {
    let history: Vec<Sample> = (0..20)
        .map(|number| match number % 5 {
            4 => Sample::missed(at(15 * number), hotfix_core::model::Missing::Stale),
            _ => after(15 * number, scrape((75, 3), (675, 30))),
        })
        .collect();
    let judge = || {
        let mut rollout = rollout("error rate over 4.5 % within 10m");
        history
            .iter()
            .for_each(|sample| assert!(!matches!(look(&mut rollout, sample), Ruling::RollBack { .. })));
        rollout
    };
    assert_eq!(judge(), judge());
}

#[test]
fn every_ground_of_a_rollback_is_in_one_line() {
    let rules = VerificationRules {
        thresholds: vec![rule("error rate over 5.0 % within 10 minutes")],
        ..VerificationRules::default()
    };
    let mut rollout = Verification::new(&rules, gate(10), 3, Calibration::default()).unwrap();
    let fault = hotfix_core::model::Fault::CrashLoop { instance: "green-1".to_owned(), restarts: 3 };
    rollout.observe(&scrape((75, 60), (675, 1)), &[]);
    let (_, ruling) = rollout.observe(&after(15, scrape((75, 60), (675, 1))), &[fault]);
    assert_eq!(
        ruling.to_string(),
        "roll back: canary instance green-1 is in a crash loop (3 restarts); \
         canary 120 errors in 150 requests against 2 in 1350 (evidence 259 ≥ 100); \
         error rate over 5 % within 10m: canary 120 errors in 150 requests"
    );
}
