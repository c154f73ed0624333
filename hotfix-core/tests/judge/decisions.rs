//! The rules at work: dwell, suspicion, faults, and what is carried from gate to gate.

use hotfix_core::decide::Verification;
use hotfix_core::model::{
    Dispersion, Fault, JudgeSettings, Missing, Pace, Period, Proof, Reading, Reason, Ruling, Sample,
};

use super::{at, counts, gate, look, look_until_decided, rollout, rollout_at, rules, scrape};

#[test]
fn proof_from_one_weight_does_not_promote_a_silent_canary_at_the_next() {
    let mut rollout = rollout();
    let clean = scrape((1000, 0), (9000, 90));
    look(&mut rollout, &clean);
    assert!(matches!(look(&mut rollout, &clean), Ruling::Promote { .. }));
    rollout.next_gate(gate(50));
    let silent = Sample { canary: Reading::Absent, ..scrape((0, 0), (10, 0)) };
    for _ in 0..10 {
        let ruling = look(&mut rollout, &silent);
        assert!(matches!(ruling, Ruling::Hold { .. }), "{ruling}");
    }
    let first = look(&mut rollout, &scrape((10, 0), (10, 0)));
    assert!(matches!(first, Ruling::Hold { .. }), "{first}");
}

#[test]
fn a_fix_that_works_leaves_a_broken_baseline_quickly() {
    let mut rollout = rollout();
    let cured = scrape((75, 0), (675, 60));
    let (looks, ruling) = look_until_decided(&mut rollout, &cured);
    assert_eq!(looks, 2);
    let Ruling::Promote { proof: Proof::Proven, reasons } = ruling else {
        panic!("{ruling}");
    };
    assert!(matches!(reasons[..], [Reason::ProvenGood { .. }, Reason::FixWorks { .. }]));
}

#[test]
fn harm_that_begins_at_a_hundred_percent_is_found() {
    let mut rollout = rollout();
    for percent in [25, 50, 75, 100] {
        for _ in 0..10 {
            look(&mut rollout, &scrape((75, 0), (675, 1)));
        }
        rollout.next_gate(gate(percent));
    }
    let (looks, ruling) = look_until_decided(&mut rollout, &scrape((750, 375), (0, 0)));
    assert!(matches!(ruling, Ruling::RollBack { .. }), "{ruling}");
    assert!(looks <= 3, "{looks} scrapes");
}

#[test]
fn suspicion_holds_and_in_the_end_asks_a_human() {
    let pace = Pace { hold_limit: 5, ..Pace::default() };
    let mut rollout = rollout_at(10, &rules(JudgeSettings::default(), pace));
    for _ in 0..2 {
        look(&mut rollout, &scrape((75, 3), (675, 1)));
    }
    let (looks, ruling) = look_until_decided(&mut rollout, &scrape((75, 0), (675, 0)));
    let Ruling::Freeze { reasons } = ruling else {
        panic!("{ruling}");
    };
    assert_eq!(looks, 4);
    assert_eq!(
        reasons.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "held for 5 scrapes at this weight",
            "suspicious: canary 6 errors in 450 requests against 2 in 4050 (evidence 96 ≥ 10)",
        ]
    );
}

#[test]
fn a_broken_instance_condemns_at_once_whatever_the_metrics_say() {
    let faults = [
        Fault::CrashLoop { instance: "web-1".to_owned(), restarts: 5 },
        Fault::NeverReady { instance: "web-2".to_owned(), after: Period::from_secs(30) },
    ];
    for sample in [scrape((75, 0), (675, 0)), Sample::missed(at(0), Missing::Stale)] {
        let (_, ruling) = rollout().observe(&sample, &faults);
        let reasons = faults.clone().map(|fault| Reason::CanaryFault { fault }).to_vec();
        assert_eq!(ruling, Ruling::RollBack { reasons });
        assert_eq!(
            ruling.to_string(),
            "roll back: canary instance web-1 is in a crash loop (5 restarts); \
             canary instance web-2 was not ready within 30s"
        );
    }
}

#[test]
fn what_is_wrong_with_instances_and_what_the_metrics_say_meet_in_one_line() {
    let faults =
        ["web-1", "web-2"].map(|instance| Fault::CrashLoop { instance: instance.to_owned(), restarts: 5 });
    let mut rollout = rollout();
    look(&mut rollout, &scrape((75, 75), (675, 1)));
    let (_, ruling) = rollout.observe(&scrape((75, 60), (675, 0)), &faults);
    let line = "roll back: canary instance web-1 is in a crash loop (5 restarts); canary instance web-2 is in a crash \
                loop (5 restarts); canary 135 errors in 150 requests against 1 in 1350 (evidence 259 ≥ 100)";
    assert_eq!(ruling.to_string(), line);
    // A fault that comes between two samples adds what these condemned the canary for, and no more.
    assert_eq!(Ruling::condemned_by(&faults).also(Some(&ruling)), ruling);
    let condemned = Ruling::condemned_by(&faults[..1]);
    assert_eq!(condemned.clone().also(Some(&Ruling::Hold { reasons: ruling.reasons().to_vec() })), condemned);
    assert_eq!(condemned.clone().also(None), condemned);
}

#[test]
fn a_gate_is_left_after_four_scrapes_when_proven_and_dwell_begins_anew() {
    let mut rollout = rollout();
    let clean = scrape((1000, 1), (9000, 9));
    assert_eq!(look_until_decided(&mut rollout, &clean).0, 4);
    rollout.next_gate(gate(50));
    assert_eq!(look_until_decided(&mut rollout, &scrape((5000, 5), (5000, 5))).0, 4);
    assert_eq!(rollout.evidence().gate.canary, counts(20_000, 20));
    assert_eq!(rollout.evidence().rollout.canary, counts(24_000, 24));
}

#[test]
fn evidence_of_harm_is_carried_to_the_next_gate() {
    let mut rollout = rollout();
    look(&mut rollout, &scrape((75, 5), (675, 4)));
    let before = rollout.evidence().statistics;
    rollout.next_gate(gate(25));
    assert_eq!(rollout.evidence().statistics, before);
    assert!(matches!(look(&mut rollout, &scrape((187, 8), (563, 3))), Ruling::RollBack { .. }));
}

#[test]
fn bursts_that_were_seen_before_count_less() {
    let burst = scrape((75, 9), (675, 10));
    let evidence = |phi: f64| {
        let rules = rules(JudgeSettings::default(), Pace::default());
        let phi = Dispersion::new(phi).unwrap();
        let mut rollout = Verification::new(&rules, gate(10), 3, phi).unwrap();
        rollout.observe(&burst, &[]).0.statistics
    };
    let (single, bursty) = (evidence(1.0), evidence(5.0));
    assert!(bursty.log_count < single.log_count);
    assert_eq!(bursty.log_share.to_bits(), single.log_share.to_bits());
}
