//! What is journaled: its form, and that a replay gives the same state, bit for bit.

use hotfix_core::decide::Verification;
use hotfix_core::model::{
    Calibration, Counts, Dispersion, EvidenceDigest, Fault, Missing, Reading, Ruling, Sample, Statistics,
    TailBound, Totals, Verdict, VerdictOutcome, VerificationRules,
};

use super::{at, bound, counts, gate, rollout, scrape};

fn bits(statistics: &Statistics) -> [u64; 12] {
    [
        statistics.log_harm,
        statistics.log_errors,
        statistics.log_count,
        statistics.log_share,
        statistics.log_latency,
        statistics.log_ceiling,
        statistics.log_absolute,
        statistics.ceiling,
        statistics.log_proof,
        statistics.log_proof_relative,
        statistics.log_proof_absolute,
        statistics.log_efficacy,
    ]
    .map(f64::to_bits)
}

/// Three gates with traffic that changes, errors, gaps and silence.
fn history() -> Vec<(u8, Vec<Sample>)> {
    let traffic = |percent: u64, index: u64| {
        let (canary, baseline) = (percent * 7 + index, 750 - percent * 7);
        let slow = [counts(canary, index % 4), counts(baseline, index % 7)];
        scrape((canary, index % 3), (baseline, index % 5)).with_tail(bound("250ms"), slow[0], slow[1])
    };
    let gate = |percent: u8| {
        let mut samples: Vec<_> = (0..12).map(|index| traffic(u64::from(percent), index)).collect();
        samples[3] = Sample::missed(at(3), Missing::failed(&"connection refused"));
        samples[5].canary = Reading::Absent;
        samples[7].baseline = Reading::Missing(Missing::Stale);
        (percent, samples)
    };
    vec![gate(10), gate(50), gate(100)]
}

/// Judges a history, with a broken instance at the given scrape of each gate.
fn judge(history: &[(u8, Vec<Sample>)], phi: Dispersion, broken_at: Option<usize>) -> Verification {
    let rules = VerificationRules::default();
    let tail = TailBound { over: bound("250ms"), dispersion: phi, usual: counts(45_000, 2250) };
    let calibration = Calibration { dispersion: phi, tails: vec![tail] };
    let mut rollout = Verification::new(&rules, gate(history[0].0), 2, calibration).expect("default rules");
    for (number, (percent, samples)) in history.iter().enumerate() {
        if number > 0 {
            rollout.next_gate(gate(*percent));
        }
        for (index, sample) in samples.iter().enumerate() {
            let fault = Fault::CrashLoop { instance: "green-1".to_owned(), restarts: 3 };
            let faults: Vec<_> = (broken_at == Some(index)).then_some(fault).into_iter().collect();
            let (_, ruling) = rollout.observe(sample, &faults);
            assert_eq!(matches!(ruling, Ruling::RollBack { .. }), !faults.is_empty(), "{ruling}");
        }
    }
    rollout
}

#[test]
fn a_replay_of_the_journal_gives_the_same_state_bit_for_bit() {
    let phi = Dispersion::new(9.818_181_818_181_818).unwrap();
    let live = judge(&history(), phi, Some(6));

    let journal = serde_json::to_string(&(history(), phi)).unwrap();
    let (samples, phi): (Vec<(u8, Vec<Sample>)>, Dispersion) = serde_json::from_str(&journal).unwrap();
    let replayed = judge(&samples, phi, None);

    assert_eq!(replayed, live);
    assert_eq!(bits(&replayed.evidence().statistics), bits(&live.evidence().statistics));
    assert_eq!(replayed.digest(), live.digest());
}

/// A run that another machine takes over goes on with the evidence of this one. The bits are those of any.
#[test]
fn the_evidence_is_the_same_on_every_machine() {
    let phi = Dispersion::new(1.25).unwrap();
    let seen = judge(&history(), phi, None).evidence().statistics;
    assert_eq!(bits(&seen), GOLDEN, "{seen:?}");
}

const GOLDEN: [u64; 12] = [
    0x3fe7_abe9_1798_fe7f,
    0x3ff6_1e59_c057_907c,
    0xbfe2_36ce_ff52_dd8d,
    0x4000_03dc_7c6c_050d,
    0xbff5_2055_9459_bf4f,
    0xbffe_d722_7c49_2956,
    0xbffe_d722_7c49_2956,
    0x3fa9_9999_9999_999a,
    0x4013_fa7f_78bd_efaf,
    0xbffb_9470_0f3f_2570,
    0x4013_fa7f_78bd_efaf,
    0xc013_d9a2_8767_874e,
];

#[test]
fn one_other_count_gives_another_digest() {
    let first = judge(&history(), Dispersion::NONE, None);
    let mut altered = history();
    altered[1].1[0] = scrape((351, 0), (400, 0));
    assert_ne!(judge(&altered, Dispersion::NONE, None).digest(), first.digest());
}

#[test]
fn samples_are_journaled_as_compact_lines() {
    let samples = [
        scrape((75, 1), (675, 4)).with_ready(2),
        Sample { canary: Reading::Absent, ..Sample::missed(at(15), Missing::Stale) },
        Sample::missed(at(30), Missing::failed(&"time-out")),
    ];
    let lines = samples.map(|sample| serde_json::to_string(&sample).unwrap());
    assert_eq!(
        lines,
        [
            r#"{"at":"1970-01-01T00:00:00Z","canary":{"counts":[75,1]},"baseline":{"counts":[675,4]},"ready":2}"#,
            r#"{"at":"1970-01-01T00:00:15Z","canary":"absent","baseline":{"missing":"stale"}}"#,
            r#"{"at":"1970-01-01T00:00:30Z","canary":{"missing":{"failed":{"error":"time-out"}}},"baseline":{"missing":{"failed":{"error":"time-out"}}}}"#,
        ]
    );
    let read = lines.map(|line| serde_json::from_str::<Sample>(&line).unwrap());
    assert_eq!(read[0], scrape((75, 1), (675, 4)).with_ready(2));
    assert_eq!(read[1].baseline, Reading::Missing(Missing::Stale));
}

#[test]
fn a_verdict_says_what_it_rests_on() {
    let mut rollout = rollout();
    rollout.observe(&Sample::missed(at(0), Missing::Stale), &[]);
    let broken = scrape((75, 75), (675, 0));
    rollout.observe(&broken, &[]);
    let (evidence, ruling) = rollout.observe(&broken, &[]);
    let verdict = rollout.verdict(&ruling);
    let totals = Totals { canary: counts(150, 150), baseline: counts(1350, 0) };
    assert_eq!(
        verdict,
        Verdict {
            outcome: VerdictOutcome::Fail,
            reasons: ruling.reasons().to_vec(),
            // sha256sum of the three samples as lines of JSON.
            evidence: EvidenceDigest::new(DIGEST).unwrap(),
            samples: 3,
            totals,
        }
    );
    assert_eq!((evidence.rollout, evidence.gate), (totals, totals));
    assert_eq!(
        verdict.to_string(),
        "fail: canary 150 errors in 150 requests against 0 in 1350 (evidence 259 ≥ 100)"
    );
    let journaled = serde_json::to_string(&verdict).unwrap();
    assert_eq!(serde_json::from_str::<Verdict>(&journaled).unwrap(), verdict);
    let journaled = serde_json::to_string(&evidence).unwrap();
    let read: hotfix_core::model::Evidence = serde_json::from_str(&journaled).unwrap();
    assert_eq!(bits(&read.statistics), bits(&evidence.statistics));
}

const DIGEST: &str = "3257a61d30687d6ea6143a988d9dbde35016d9b010b36d6a74962e7306e065e2";

#[test]
fn a_digest_is_64_hexadecimal_digits() {
    for bad in ["", "abc", &"g".repeat(64), &"A".repeat(64)] {
        assert_eq!(EvidenceDigest::new(bad).unwrap_err().what(), "evidence digest");
    }
    let digest = EvidenceDigest::of_bytes([0xa5; 32]);
    assert_eq!(digest.as_str(), "a5".repeat(32));
    assert_eq!(EvidenceDigest::new(digest.as_str()), Ok(digest));
}

#[test]
fn counts_stop_at_the_largest_number() {
    let most = counts(u64::MAX, 5);
    assert_eq!(most.saturating_add(counts(7, 7)), counts(u64::MAX, 12));
    assert_eq!(Counts::NONE.saturating_add(most), most);
}
