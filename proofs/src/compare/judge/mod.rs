//! The judge: what a scrape costs, and, simulated, how often it is wrong and how late it is right.

mod simulated;

use std::fmt::Display;
use std::hint::black_box;

use hotfix_benches::Failure;
use hotfix_benches::world::noon;
use hotfix_core::decide::{Gate, Verification};
use hotfix_core::judge::Judge;
use hotfix_core::model::{Counts, Dispersion, JudgeSettings, Sample, VerificationRules};

use super::case::Case;
use super::clock::micros_each;
use super::kayenta;

/// What one metric may cost at one scrape.
const GOAL_MICROS: f64 = 2.0;

/// Runs of one process that are judged at the same time, each by so many metrics.
const RUNS: usize = 1_000;
const METRICS: usize = 5;

/// What the whole of a look may cost: sample put down, statistics, decision with its reasons.
const LOOK_GOAL_MICROS: f64 = 20.0;

pub(super) fn measure(print: impl Fn(&dyn Display)) -> Result<(), Failure> {
    cost(&print)?;
    simulated::simulate(&print)?;
    kayenta::measure(|case| print(&case))
}

fn cost(print: &impl Fn(&dyn Display)) -> Result<(), Failure> {
    let (canary, baseline) = (Counts::new(100, 1)?, Counts::new(900, 9)?);
    let mut judge = Judge::new(&JudgeSettings::standard(), 3, Dispersion::NONE)?;
    let update = micros_each(|| judge.update(black_box(canary), black_box(baseline)));
    print(&Case::alone("update", update, GOAL_MICROS));

    let mut judges = vec![judge; RUNS * METRICS];
    let scrape = micros_each(|| {
        judges.iter_mut().for_each(|judge| judge.update(black_box(canary), black_box(baseline)));
    });
    let name = format!("scrape-of-{RUNS}-runs-with-{METRICS}-metrics");
    print(&Case::alone(&name, scrape, GOAL_MICROS * (RUNS * METRICS) as f64));

    let rules = VerificationRules::default();
    let mut rollout = Verification::new(&rules, Gate::at(10)?, 3, Dispersion::NONE)?;
    let sample = Sample::counted(noon(), canary, baseline);
    let look = micros_each(|| drop(black_box(rollout.observe(black_box(&sample), &[]))));
    print(&Case::alone("look", look, LOOK_GOAL_MICROS));
    Ok(())
}
