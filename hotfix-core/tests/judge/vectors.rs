//! The reference sequences: integer inputs and the expected logarithm of every statistic.

use hotfix_core::judge::{Judge, dispersion};
use hotfix_core::model::{
    Calibration, Counts, Dispersion, JudgeSettings, StatisticWeights, Statistics, Tail, TailBound,
};
use serde::Deserialize;

use super::{bound, counts};

const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Vectors {
    dispersion: Vec<Burst>,
    sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
struct Burst {
    pre: Vec<u64>,
    phi: f64,
}

#[derive(Deserialize)]
struct Sequence {
    name: String,
    params: Params,
    rollback_at_scrape_index: Option<usize>,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Params {
    alpha: f64,
    r0: f64,
    phi: f64,
    horizon: u32,
    later_steps: u32,
}

#[derive(Deserialize)]
struct Row {
    nc: u64,
    ec: u64,
    nb: u64,
    eb: u64,
    first_of_step: bool,
    log_e_count: f64,
    log_e_share: f64,
    log_e: f64,
    log_f_rbad3: f64,
    log_g_efficacy: f64,
    log_a_theta5pct: f64,
    log_q_below1pct: f64,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors.json")).expect("the reference sequences")
}

/// The fast profile has the constants of the sequences: `r_bad` 3, `θ_ok` 1 %, `θ` 5 %.
fn judge(params: &Params, phi: f64) -> Judge {
    let settings = JudgeSettings {
        alpha: params.alpha,
        tolerated_ratio: params.r0,
        planned_scrapes: params.horizon,
        ..JudgeSettings::fast()
    };
    let phi = Dispersion::new(phi).expect("a dispersion");
    Judge::new(&settings, params.later_steps, phi).expect("settings of the sequence")
}

fn trace(sequence: &Sequence, phi: f64) -> Vec<Statistics> {
    let mut judge = judge(&sequence.params, phi);
    let mut update = |row: &Row| {
        if row.first_of_step {
            judge.begin_step();
        }
        judge.update(counts(row.nc, row.ec), counts(row.nb, row.eb));
        judge.statistics()
    };
    sequence.rows.iter().map(&mut update).collect()
}

#[test]
fn dispersion_is_that_of_the_reference() {
    let vectors = vectors();
    assert_eq!(vectors.dispersion.len(), 4);
    for burst in vectors.dispersion {
        let phi = dispersion(&burst.pre).get();
        assert!((phi - burst.phi).abs() < TOLERANCE, "{phi} instead of {} for {:?}", burst.phi, burst.pre);
    }
}

#[test]
fn dispersion_is_one_where_it_cannot_be_measured() {
    for unknown in [&[][..], &[7; 9], &[9, 0, 9, 0, 9, 0, 9, 0, 9], &[0; 60]] {
        assert_eq!(dispersion(unknown), Dispersion::NONE, "{unknown:?}");
    }
    let steady_drift: Vec<u64> = (0..60).map(|i| 10 + i / 2).collect();
    assert_eq!(dispersion(&steady_drift), Dispersion::NONE);
}

#[test]
fn every_statistic_is_that_of_the_reference() {
    let vectors = vectors();
    assert_eq!(vectors.sequences.len(), 6);
    for sequence in vectors.sequences {
        // The reference computes the ceiling without dispersion.
        let plain = trace(&sequence, 1.0);
        let trace = trace(&sequence, sequence.params.phi);
        for (index, row) in sequence.rows.iter().enumerate() {
            let columns = [
                ("count", trace[index].log_count, row.log_e_count),
                ("share", trace[index].log_share, row.log_e_share),
                ("errors", trace[index].log_errors, row.log_e),
                ("relative proof", trace[index].log_proof_relative, row.log_f_rbad3),
                ("absolute proof", trace[index].log_proof_absolute, row.log_q_below1pct),
                ("efficacy", trace[index].log_efficacy, row.log_g_efficacy),
                ("ceiling", plain[index].log_absolute, row.log_a_theta5pct),
            ];
            for (column, ours, expected) in columns {
                assert!(
                    (ours - expected).abs() < TOLERANCE,
                    "{}, scrape {index}, {column}: {ours} instead of {expected}",
                    sequence.name
                );
            }
        }
    }
}

/// Slow requests are judged by the same formulas: what the sequences say of errors holds for them.
#[test]
fn slow_requests_are_judged_as_errors_are() {
    for sequence in vectors().sequences {
        let Params { alpha, r0, phi, horizon, later_steps } = sequence.params;
        let settings = JudgeSettings {
            alpha,
            latency_ratio: r0,
            // With the whole share its cap is that of errors.
            weights: StatisticWeights { errors: 0.0, latency: 1.0, ceiling: 0.0 },
            planned_scrapes: horizon,
            ..JudgeSettings::standard()
        };
        let over = bound("250ms");
        let tails = vec![TailBound {
            over,
            dispersion: Dispersion::new(phi).expect("a dispersion"),
            usual: Counts::NONE,
        }];
        let calibration = Calibration { dispersion: Dispersion::NONE, tails };
        let mut judge = Judge::new(&settings, later_steps, calibration).expect("settings of the sequence");
        for (index, row) in sequence.rows.iter().enumerate() {
            if row.first_of_step {
                judge.begin_step();
            }
            let tail = Tail { canary: Some(counts(row.nc, row.ec)), baseline: Some(counts(row.nb, row.eb)) };
            let (canary, baseline) = (counts(row.nc, 0), counts(row.nb, 0));
            judge.update_with_tails(canary, baseline, &[(over, tail)].into());
            let ours = judge.statistics().log_latency;
            assert!((ours - row.log_e).abs() < TOLERANCE, "{}, scrape {index}: {ours}", sequence.name);
        }
    }
}

#[test]
fn rollbacks_come_with_the_scrape_of_the_reference() {
    for sequence in vectors().sequences {
        let limit = (1.0 / sequence.params.alpha).ln();
        let trace = trace(&sequence, sequence.params.phi);
        let by = |log: fn(&Statistics) -> f64| trace.iter().position(|statistics| log(statistics) >= limit);
        assert_eq!(
            by(|statistics| statistics.log_errors),
            sequence.rollback_at_scrape_index,
            "{}",
            sequence.name
        );
        let decided = by(|statistics| statistics.log_harm);
        assert!(
            decided == sequence.rollback_at_scrape_index
                || decided == sequence.rollback_at_scrape_index.map(|index| index + 1),
            "{}: the share of the ceiling costs at most one scrape, not {decided:?}",
            sequence.name
        );
    }
}
