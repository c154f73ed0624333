//! Missing and odd data: one test per case. Cases about raw counters are in `increments`.

use hotfix_core::model::{
    Comparison, JudgeSettings, Missing, OnBlind, Pace, Proof, Reading, Reason, Ruling, Sample,
    VerificationRules,
};

use super::{at, counts, gate, look, look_until_decided, rollout, rollout_at, rules, scrape};

fn missed() -> Sample {
    Sample::missed(at(0), Missing::failed(&"503 Service Unavailable"))
}

fn absent_canary(baseline: (u64, u64)) -> Sample {
    Sample { canary: Reading::Absent, ..scrape((0, 0), baseline) }
}

fn healthy() -> Sample {
    scrape((75, 0), (675, 0))
}

fn blind(scrapes: u32) -> Reason {
    Reason::Blind { cause: Missing::failed(&"503 Service Unavailable"), scrapes, limit: 12 }
}

#[test]
fn without_metrics_it_holds_then_freezes_and_never_promotes() {
    let mut rollout = rollout();
    look(&mut rollout, &healthy());
    let before = rollout.evidence();
    for scrapes in 1..12 {
        let reasons = vec![blind(scrapes)];
        assert_eq!(look(&mut rollout, &missed()), Ruling::Hold { reasons });
    }
    let reasons = vec![blind(12)];
    assert_eq!(look(&mut rollout, &missed()), Ruling::Freeze { reasons });
    assert_eq!(rollout.evidence(), before, "a missed scrape changes no evidence");
    assert!(
        matches!(look(&mut rollout, &healthy()), Ruling::Hold { .. }),
        "metrics that come back end the blindness"
    );
}

#[test]
fn without_metrics_it_rolls_back_when_told_to() {
    let pace = Pace { on_blind: OnBlind::RollBack, ..Pace::default() };
    let mut rollout = rollout_at(10, &rules(JudgeSettings::default(), pace));
    let (looks, ruling) = look_until_decided(&mut rollout, &missed());
    let reasons = vec![blind(12)];
    assert_eq!((looks, ruling), (12, Ruling::RollBack { reasons }));
}

#[test]
fn one_missing_side_makes_the_scrape_missing() {
    for broken in [
        Sample { canary: Reading::Missing(Missing::Stale), ..healthy() },
        Sample { baseline: Reading::Missing(Missing::Stale), ..healthy() },
    ] {
        let mut rollout = rollout();
        let before = rollout.evidence();
        let reasons = vec![Reason::Blind { cause: Missing::Stale, scrapes: 1, limit: 12 }];
        assert_eq!(look(&mut rollout, &broken), Ruling::Hold { reasons });
        assert_eq!(rollout.evidence(), before);
    }
}

#[test]
fn a_proven_canary_is_not_promoted_blind() {
    let mut rollout = rollout();
    let clean = scrape((1000, 0), (9000, 90));
    look(&mut rollout, &clean);
    let reasons = vec![blind(1)];
    assert_eq!(look(&mut rollout, &missed()), Ruling::Hold { reasons });
    assert!(matches!(look(&mut rollout, &clean), Ruling::Promote { .. }));
}

#[test]
fn no_canary_traffic_is_never_promoted_and_said_after_four_scrapes() {
    for sample in [absent_canary((675, 1)), scrape((0, 0), (675, 1))] {
        let mut rollout = rollout();
        for scrapes in 1..4 {
            let reasons = vec![Reason::CanaryQuiet { scrapes }];
            assert_eq!(look(&mut rollout, &sample), Ruling::Hold { reasons });
        }
        let silent = |scrapes| Reason::NoCanaryTraffic { scrapes, baseline: counts(675, 1) };
        let reasons = vec![silent(4)];
        assert_eq!(look(&mut rollout, &sample), Ruling::Hold { reasons });
        let (looks, ruling) = look_until_decided(&mut rollout, &sample);
        let reasons = vec![Reason::HeldTooLong { scrapes: 60 }, silent(60)];
        assert_eq!((looks, ruling), (56, Ruling::Freeze { reasons }));
    }
}

#[test]
fn a_canary_that_stops_answering_is_rolled_back_after_two_scrapes() {
    for silent in [absent_canary((750, 1)), scrape((18, 0), (732, 0))] {
        let requests = silent.canary.counts().unwrap().requests();
        let mut rollout = rollout();
        look(&mut rollout, &healthy());
        assert!(matches!(look(&mut rollout, &silent), Ruling::Hold { .. }));
        let reasons = vec![Reason::CanaryStarved { requests, expected: 75, scrapes: 2 }];
        assert_eq!(look(&mut rollout, &silent), Ruling::RollBack { reasons });
    }
}

#[test]
fn a_missing_share_says_nothing_without_instances_without_enough_traffic_or_once() {
    let quarter = scrape((19, 0), (731, 0));
    let pods_gone = absent_canary((750, 0)).with_ready(0);
    let low_traffic = absent_canary((199, 0));
    for sample in [quarter, pods_gone, low_traffic] {
        let mut rollout = rollout();
        look(&mut rollout, &healthy());
        for _ in 0..2 {
            let ruling = look(&mut rollout, &sample);
            assert!(matches!(ruling, Ruling::Hold { .. }), "{ruling}");
        }
    }
    let mut rollout = rollout();
    for _ in 0..3 {
        look(&mut rollout, &healthy());
        let ruling = look(&mut rollout, &absent_canary((750, 0)));
        assert!(matches!(ruling, Ruling::Hold { .. }), "{ruling}");
    }
}

#[test]
fn zero_errors_on_both_sides_are_no_evidence_of_harm_and_prove_health_in_time() {
    let mut rollout = rollout_at(10, &rules(JudgeSettings::fast(), Pace::default()));
    let mut looks = 0;
    let ruling = loop {
        looks += 1;
        let (evidence, ruling) = rollout.observe(&healthy(), &[]);
        let statistics = evidence.statistics;
        assert!(statistics.log_errors.abs() < 1e-9);
        if looks == 5 {
            assert!(statistics.log_proof_absolute >= 20.0_f64.ln(), "below 1 % after five scrapes");
        }
        if !matches!(ruling, Ruling::Hold { .. }) {
            break ruling;
        }
    };
    assert!(matches!(ruling, Ruling::Promote { proof: Proof::Proven, .. }), "{ruling}");
    assert_eq!(looks, 6);
}

#[test]
fn low_traffic_goes_forward_unproven_at_the_longest_dwell() {
    let mut rollout = rollout();
    let sparse = scrape((3, 0), (27, 0));
    let (looks, ruling) = look_until_decided(&mut rollout, &sparse);
    assert_eq!(looks, 20);
    let Ruling::Promote { proof: Proof::Unproven, reasons } = ruling else {
        panic!("{ruling}");
    };
    assert_eq!(
        reasons[0].to_string(),
        "nothing against it in 20 scrapes: canary 0 errors in 60 requests against 0 in 540 (proof 1.1 < 20)"
    );
}

#[test]
fn too_little_traffic_asks_a_human() {
    let mut rollout = rollout();
    let (looks, ruling) = look_until_decided(&mut rollout, &scrape((0, 0), (3, 0)));
    assert_eq!((looks, ruling.to_string().starts_with("freeze: held for 60 scrapes")), (60, true));

    let mut rollout =
        rollout_at(10, &rules(JudgeSettings::default(), Pace { hold_limit: 3, ..Pace::default() }));
    let (looks, ruling) = look_until_decided(&mut rollout, &scrape((1, 0), (9, 0)));
    let scarce = Reason::TooFewRequests { requests: 22, needed: 50 };
    let reasons = vec![Reason::HeldTooLong { scrapes: 3 }, scarce];
    assert_eq!((looks, ruling), (22, Ruling::Freeze { reasons }));
}

#[test]
fn the_observed_traffic_counts_and_not_the_weight() {
    // As many errors as requests explain, at ten times the configured weight.
    let mut rollout = rollout_at(5, &rules(JudgeSettings::default(), Pace::default()));
    for _ in 0..4 {
        let (evidence, ruling) = rollout.observe(&scrape((375, 4), (375, 4)), &[]);
        assert!(evidence.statistics.log_harm < 0.1, "{ruling}");
    }
}

#[test]
fn an_incident_common_to_both_sides_is_not_harm() {
    // Pooled over the ramp the canary has 3.7 times the error rate, with no difference in any scrape.
    let mut rollout = rollout();
    for _ in 0..4 {
        look(&mut rollout, &scrape((75, 0), (675, 0)));
    }
    rollout.next_gate(gate(75));
    for _ in 0..4 {
        let (evidence, ruling) = rollout.observe(&scrape((562, 28), (188, 9)), &[]);
        assert!(evidence.statistics.log_harm < 0.5, "{ruling}");
        assert!(!matches!(ruling, Ruling::RollBack { .. }), "{ruling}");
    }
}

#[test]
fn a_recovery_common_to_both_sides_does_not_hide_harm() {
    // Four times as bad once the incident is over; pooled over the ramp the canary looks better, as it got its
    // traffic late.
    let mut rollout = rollout();
    look(&mut rollout, &scrape((75, 8), (675, 68)));
    rollout.next_gate(gate(75));
    let (looks, ruling) = look_until_decided(&mut rollout, &scrape((562, 12), (188, 1)));
    assert!(matches!(ruling, Ruling::RollBack { .. }), "{ruling}");
    let totals = rollout.evidence().rollout;
    let rate = |side: hotfix_core::model::Counts| side.errors() as f64 / side.requests() as f64;
    assert!(rate(totals.canary) < rate(totals.baseline), "{looks} looks, {totals:?}");
}

#[test]
fn an_instance_that_is_not_warm_is_not_slow() {
    // What increments leave out of a scrape changes nothing, and the errors of it count.
    let mut rollout = rollout();
    look(&mut rollout, &scrape((75, 75), (675, 0)));
    let statistics = rollout.evidence().statistics;
    assert!(statistics.log_latency.abs() < 1e-12 && statistics.log_errors > 1.0);
}

#[test]
fn the_first_request_of_a_canary_beside_a_large_baseline_decides_nothing() {
    for healthy_before in [0, 3] {
        let mut rollout = rollout_at(1, &VerificationRules::default());
        for _ in 0..healthy_before {
            look(&mut rollout, &scrape((1, 0), (68_000, 0)));
        }
        let (evidence, ruling) = rollout.observe(&scrape((1, 1), (68_000, 0)), &[]);
        assert!(evidence.statistics.log_harm > 100.0_f64.ln(), "{evidence:?}");
        assert!(matches!(ruling, Ruling::Hold { .. }), "{ruling}");
        assert!(matches!(look(&mut rollout, &scrape((700, 0), (68_000, 0))), Ruling::Hold { .. }));
        // Neither is it forgotten: one more scrape like it is enough.
        let ruling = look(&mut rollout, &scrape((700, 7), (68_000, 0)));
        assert!(matches!(ruling, Ruling::RollBack { .. }), "{ruling}");
    }
}

#[test]
fn an_outage_at_one_request_a_second_is_found_within_a_minute_and_a_half() {
    let mut rollout = rollout();
    let (looks, ruling) = look_until_decided(&mut rollout, &scrape((2, 2), (13, 0)));
    assert!(matches!(ruling, Ruling::RollBack { .. }), "{ruling}");
    assert_eq!(looks, 3, "of 15 seconds each");
}

#[test]
fn a_fix_that_does_not_fix_is_neither_condemned_nor_let_through() {
    let mut rollout = rollout();
    let as_bad_as_before = scrape((100, 20), (900, 180));
    for _ in 0..10 {
        look(&mut rollout, &as_bad_as_before);
    }
    assert_eq!(
        look(&mut rollout, &as_bad_as_before).to_string(),
        "hold: 11 of at most 20 scrapes (proof 1e23 ≥ 20); \
         fix does not fix: canary 220 errors in 1100 requests against 1980 in 9900, allowed are 5 %",
        "proven to be no worse, and still not let through"
    );
    let (looks, ruling) = look_until_decided(&mut rollout, &as_bad_as_before);
    let no_cure = Reason::FixDoesNotFix {
        seen: Comparison { canary: counts(7900, 1580), baseline: Some(counts(71_100, 14_220)), slow: None },
        ceiling: 0.05,
    };
    let reasons = vec![Reason::HeldTooLong { scrapes: 60 }, no_cure];
    assert_eq!((looks + 11, ruling), (79, Ruling::Freeze { reasons }));
}

#[test]
fn alone_at_a_hundred_percent_the_ceiling_decides() {
    let mut bad = rollout_at(100, &rules(JudgeSettings::default(), Pace::default()));
    let (looks, ruling) = look_until_decided(&mut bad, &scrape((750, 750), (0, 0)));
    assert_eq!(looks, 2);
    assert_eq!(ruling.reasons()[0].to_string(), "canary 1500 errors in 1500 requests (evidence 127 ≥ 100)");

    let mut good = rollout_at(100, &rules(JudgeSettings::default(), Pace::default()));
    let (looks, ruling) = look_until_decided(&mut good, &scrape((750, 1), (0, 0)));
    assert_eq!(looks, 20, "the whole dwell, however good the proof");
    assert!(matches!(ruling, Ruling::Promote { proof: Proof::Proven, .. }), "{ruling}");

    let mut fair = rollout_at(100, &rules(JudgeSettings::default(), Pace::default()));
    let (looks, ruling) = look_until_decided(&mut fair, &scrape((750, 15), (0, 0)));
    assert_eq!(looks, 20);
    assert!(matches!(ruling, Ruling::Promote { proof: Proof::Unproven, .. }), "{ruling}");
}

#[test]
fn alone_it_is_allowed_twice_what_the_baseline_had() {
    let mut rollout = rollout_at(50, &rules(JudgeSettings::default(), Pace::default()));
    for _ in 0..4 {
        look(&mut rollout, &scrape((375, 30), (375, 30)));
    }
    rollout.next_gate(gate(100));
    let (evidence, ruling) = rollout.observe(&scrape((750, 60), (0, 0)), &[]);
    // Wilson's upper bound of 120 in 1500 is 9.48 %.
    assert!((evidence.statistics.ceiling - 0.1897).abs() < 1e-3, "{}", evidence.statistics.ceiling);
    assert!(matches!(ruling, Ruling::Hold { .. }), "{ruling}");
    for _ in 0..18 {
        assert!(matches!(look(&mut rollout, &scrape((750, 60), (0, 0))), Ruling::Hold { .. }));
    }
    assert!(matches!(look(&mut rollout, &scrape((750, 60), (0, 0))), Ruling::Promote { .. }));
}

#[test]
fn a_baseline_that_is_gone_is_not_read() {
    let mut rollout = rollout_at(100, &rules(JudgeSettings::default(), Pace::default()));
    let draining = Sample { baseline: Reading::Missing(Missing::Stale), ..scrape((750, 0), (0, 0)) };
    assert!(matches!(look_until_decided(&mut rollout, &draining), (20, Ruling::Promote { .. })));
}

#[test]
fn a_failing_canary_without_a_baseline_that_answers_is_not_let_through() {
    let mut rollout = rollout();
    let alone = Sample { baseline: Reading::Absent, ..scrape((75, 75), (0, 0)) };
    let (_, ruling) = look_until_decided(&mut rollout, &alone);
    let Ruling::Freeze { reasons } = ruling else {
        panic!("{ruling}");
    };
    assert!(matches!(reasons[..], [Reason::HeldTooLong { scrapes: 60 }, Reason::FixDoesNotFix { .. }]));
}

#[test]
fn a_split_that_is_slow_to_change_is_not_held_against_the_canary() {
    let mut rollout = rollout();
    look(&mut rollout, &healthy());
    rollout.next_gate(gate(75));
    for _ in 0..3 {
        let ruling = look(&mut rollout, &healthy());
        assert!(matches!(ruling, Ruling::Hold { .. }), "{ruling}");
    }
    assert!(matches!(look(&mut rollout, &absent_canary((750, 0))), Ruling::Hold { .. }));
    assert!(matches!(look(&mut rollout, &absent_canary((750, 0))), Ruling::RollBack { .. }));
}
