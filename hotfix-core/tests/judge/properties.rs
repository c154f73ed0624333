//! What holds for all inputs: bets are fair, more errors are never better news, and every number stays a number.

use hotfix_core::decide::Verification;
use hotfix_core::judge::Judge;
use hotfix_core::model::{
    Counts, Dispersion, JudgeSettings, Pace, Reading, Ruling, Sample, Statistics, VerificationRules,
};
use proptest::prelude::*;

use super::{at, counts, gate, rollout, rules};

fn judge(phi: f64) -> Judge {
    let phi = Dispersion::new(phi).expect("a dispersion");
    Judge::new(&JudgeSettings::default(), 3, phi).expect("default settings")
}

fn any_counts() -> impl Strategy<Value = Counts> {
    let number = prop_oneof![Just(0), Just(u64::MAX), 0..1000_u64, any::<u64>()];
    (number.clone(), number).prop_map(|(a, b)| counts(a.max(b), a.min(b)))
}

fn traffic() -> impl Strategy<Value = Counts> {
    (1..2000_u64).prop_flat_map(|n| (0..=n).prop_map(move |errors| counts(n, errors)))
}

fn numbers(statistics: &Statistics) -> [f64; 11] {
    [
        statistics.log_harm,
        statistics.log_errors,
        statistics.log_count,
        statistics.log_share,
        statistics.log_ceiling,
        statistics.log_absolute,
        statistics.ceiling,
        statistics.log_proof,
        statistics.log_proof_relative,
        statistics.log_proof_absolute,
        statistics.log_efficacy,
    ]
}

/// The chances of `0..=m` heads of a coin that falls on heads with chance `q`.
fn binomial(m: u64, q: f64) -> Vec<f64> {
    let mut chances = vec![1.0];
    for _ in 0..m {
        let heads = chances.iter().map(|chance| chance * q).collect::<Vec<_>>();
        chances.push(0.0);
        for chance in &mut chances {
            *chance *= 1.0 - q;
        }
        for (index, chance) in heads.iter().enumerate() {
            chances[index + 1] += chance;
        }
    }
    chances
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Ville's inequality needs just this: after any past, the expected wealth is at most the wealth.
    #[test]
    fn bets_on_harm_are_fair(
        past in prop::collection::vec((traffic(), traffic()), 0..20),
        n_c in 1..2000_u64, n_b in 1..2000_u64, m in 0..60_u64, phi in 1.0..5.0_f64,
    ) {
        let m = m.min(n_c).min(n_b);
        let mut before = judge(phi);
        past.into_iter().for_each(|(canary, baseline)| before.update(canary, baseline));
        let q = 1.1 * n_c as f64 / (1.1 * n_c as f64 + n_b as f64);
        let (mut count, mut share, mut errors) = (0.0, 0.0, 0.0);
        for (on_canary, chance) in (0..).zip(binomial(m, q)) {
            let mut after = before.clone();
            after.update(counts(n_c, on_canary), counts(n_b, m - on_canary));
            let statistics = after.statistics();
            count += chance * statistics.log_count.exp();
            share += chance * statistics.log_share.exp();
            errors += chance * statistics.log_errors.exp();
        }
        let wealth = before.statistics();
        prop_assert!(count <= wealth.log_count.exp() * (1.0 + 1e-9));
        prop_assert!(errors <= wealth.log_errors.exp() * (1.0 + 1e-9));
        prop_assert!((share / wealth.log_share.exp() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn bets_against_the_ceiling_are_fair(
        past in prop::collection::vec(traffic(), 0..20), n in 1..200_u64, phi in 1.0..5.0_f64,
    ) {
        let mut before = judge(phi);
        before.continue_alone(Counts::NONE);
        past.into_iter().for_each(|canary| before.update(canary, Counts::NONE));
        let expected: f64 = (0..).zip(binomial(n, 0.05)).map(|(errors, chance)| {
            let mut after = before.clone();
            after.update(counts(n, errors), Counts::NONE);
            chance * after.statistics().log_ceiling.exp()
        }).sum();
        prop_assert!(expected <= before.statistics().log_ceiling.exp() * (1.0 + 1e-9));
    }

    #[test]
    fn more_canary_errors_are_never_better_news(
        past in prop::collection::vec((traffic(), traffic()), 0..20), canary in traffic(), baseline in traffic(),
    ) {
        prop_assume!(canary.successes() > 0);
        let mut judge = judge(1.0);
        past.into_iter().for_each(|(canary, baseline)| judge.update(canary, baseline));
        let mut worse = judge.clone();
        judge.update(canary, baseline);
        worse.update(counts(canary.requests(), canary.errors() + 1), baseline);
        let (few, many) = (judge.statistics(), worse.statistics());
        let least = 1e-9;
        prop_assert!(many.log_harm >= few.log_harm - least);
        prop_assert!(many.log_errors >= few.log_errors - least);
        prop_assert!(many.log_ceiling >= few.log_ceiling - least);
        prop_assert!(many.log_proof <= few.log_proof + least);
        prop_assert!(many.log_efficacy <= few.log_efficacy + least);
    }

    #[test]
    fn more_baseline_errors_never_speak_against_the_canary(
        past in prop::collection::vec((traffic(), traffic()), 0..20), canary in traffic(), baseline in traffic(),
    ) {
        prop_assume!(baseline.successes() > 0);
        let mut judge = judge(1.0);
        past.into_iter().for_each(|(canary, baseline)| judge.update(canary, baseline));
        let mut worse = judge.clone();
        judge.update(canary, baseline);
        worse.update(canary, counts(baseline.requests(), baseline.errors() + 1));
        let (few, many) = (judge.statistics(), worse.statistics());
        prop_assert!(many.log_harm <= few.log_harm + 1e-9);
        prop_assert!(many.log_count <= few.log_count + 1e-9);
        prop_assert!(many.log_proof_relative >= few.log_proof_relative - 1e-9);
        prop_assert!(many.log_efficacy >= few.log_efficacy - 1e-9);
    }

    #[test]
    fn every_statistic_stays_a_number(
        scrapes in prop::collection::vec((any_counts(), any_counts()), 1..300),
        alone_from in 0..400_usize, phi in prop_oneof![Just(1.0), Just(1e30), 1.0..9.0_f64],
    ) {
        let mut judge = judge(phi);
        for (index, (canary, baseline)) in scrapes.into_iter().enumerate() {
            if index == alone_from {
                judge.continue_alone(baseline);
            }
            judge.update(canary, baseline);
            let statistics = judge.statistics();
            prop_assert!(numbers(&statistics).iter().all(|number| number.is_finite()), "{statistics:?}");
        }
    }

    /// One arm without traffic says nothing about harm, however long it lasts.
    #[test]
    fn without_both_sides_there_is_no_evidence(canaries in prop::collection::vec(any_counts(), 1..50)) {
        let mut judge = judge(1.0);
        for canary in canaries {
            judge.update(canary, Counts::NONE);
            let statistics = judge.statistics();
            prop_assert!(statistics.log_errors.abs() < 1e-9);
            prop_assert!(statistics.log_harm < 1e-9, "a ceiling alone does not condemn beside a baseline");
        }
    }

    /// Nothing waits for ever: whatever the scrapes say, a gate ends after the longest dwell and the longest hold.
    #[test]
    fn every_gate_ends(
        samples in prop::collection::vec(
            (0..4_u8, 0..80_u64, prop_oneof![Just(0.0), Just(0.05), 0.0..1.0_f64]), 80),
        percent in prop_oneof![Just(10_u8), Just(50), Just(100)],
    ) {
        let mut rollout = Verification::new(
            &VerificationRules::default(), gate(percent), 3, Dispersion::NONE).expect("default rules");
        let ended = samples.into_iter().any(|(kind, n, share)| {
            let errors = (n as f64 * share) as u64;
            let mut sample = Sample::counted(at(0), counts(n, errors), counts(n, errors / 2));
            match kind {
                0 => sample.canary = Reading::Absent,
                1 => sample.canary = Reading::Missing(hotfix_core::model::Missing::Stale),
                _ => {}
            }
            !matches!(rollout.observe(&sample, &[]).1, Ruling::Hold { .. })
        });
        prop_assert!(ended);
    }
}

#[test]
fn one_scrape_never_decides() {
    for percent in [10, 50, 100] {
        for errors in [1, 75, 1_000_000] {
            let rules = rules(JudgeSettings::default(), Pace::default());
            let mut rollout = super::rollout_at(percent, &rules);
            let (_, ruling) = rollout.observe(&super::scrape((errors, errors), (9 * errors, 0)), &[]);
            assert!(matches!(ruling, Ruling::Hold { .. }), "{percent} %, {errors} errors: {ruling}");
        }
    }
}

#[test]
fn what_happened_before_a_gap_is_not_forgotten() {
    let mut rollout = rollout();
    let bad = super::scrape((75, 3), (675, 1));
    let (before, _) = rollout.observe(&bad, &[]);
    let missed = Sample::missed(at(1), hotfix_core::model::Missing::Stale);
    let (after, _) = rollout.observe(&missed, &[]);
    assert_eq!(after, before);
}
