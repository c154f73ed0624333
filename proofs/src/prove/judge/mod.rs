//! `prove judge`: how often the production judge is wrong and how long it takes to be right, in simulated rollouts.
//!
//! Every rollout goes through [`Verification`](hotfix_core::decide::Verification); see [`simulation`](crate::simulation).

use std::fmt;
use std::process::ExitCode;

use hotfix_core::model::{InvalidValue, VerificationRules};

use super::{say, warn};
use crate::simulation::ladder::{Climber, End};
use crate::simulation::rollout::{Cell, PATIENCE};
use crate::simulation::traffic::Truth;
use crate::simulation::{Random, SCRAPES_A_MINUTE, each, limit};

/// Runs of each cell of the whole proof.
const RUNS: u32 = 20_000;
/// How often a harmless rollout may be rolled back, over all its looks.
const MOST_FALSE_ROLLBACKS: f64 = 0.01;
/// How often a bad canary may be shown to be good.
const MOST_WRONG_PROOFS: f64 = 0.05;
/// How often a healthy ladder may end otherwise than promoted.
const MOST_STOPPED: f64 = 0.002;

/// What a check asks of a chance, when all there is is a number of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The runs show with 99 % confidence that the bound holds. It takes thousands of them.
    Shown,
    /// The runs do not show with 99 % confidence that the bound is broken.
    NotRefuted,
}

/// One condition, and what it was looked at with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is measured, and of what.
    pub name: String,
    /// What came out, and the bound.
    pub figures: String,
    /// Whether it held.
    pub held: bool,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = if self.held { "ok" } else { "FAILED" };
        write!(f, "{held}: {}: {}", self.name, self.figures)
    }
}

/// Simulated rollouts under the same rules.
#[derive(Debug, Clone)]
pub struct Study {
    /// What is judged by.
    pub rules: VerificationRules,
    /// Runs of each cell.
    pub runs: u32,
    /// What is asked of chances.
    pub claim: Claim,
}

/// A part of a study.
type Part = fn(&Study) -> Result<Vec<Check>, InvalidValue>;

pub(super) fn main() -> ExitCode {
    let study = Study { rules: VerificationRules::default(), runs: RUNS, claim: Claim::Shown };
    let parts: [Part; 5] =
        [Study::detection, Study::alone, Study::healthy_ladder, Study::wrong_proofs, Study::false_rollbacks];
    let (mut checks, mut failed) = (0, 0);
    for part in parts {
        match part(&study) {
            Err(error) => {
                warn(&error.to_string());
                return ExitCode::from(2);
            }
            Ok(done) => {
                done.iter().for_each(|check| say(&check.to_string()));
                checks += done.len();
                failed += done.iter().filter(|check| !check.held).count();
            }
        }
    }
    say(&format!("prove judge: checks={checks} failed={failed} runs_per_cell={RUNS}"));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Study {
    /// How often a fix that changes nothing is rolled back in the 80 scrapes of a ramp.
    ///
    /// # Errors
    /// [`InvalidValue`] for rules that cannot be kept.
    pub fn false_rollbacks(&self) -> Result<Vec<Check>, InvalidValue> {
        let mut checks = vec![];
        for rate in [0.001, 0.01, 0.05] {
            for burst in [1.0, 3.0, 5.0] {
                let cell = Cell::ramp(&self.rules, Truth::errors(rate, rate).in_bursts_of(burst))?;
                let name = format!("false rollback, {} errors in bursts of {burst}", percent(rate));
                let hits = self.count(&name, |random| cell.rolls_back(random))?;
                checks.push(self.chance(name, hits, MOST_FALSE_ROLLBACKS));
            }
        }
        checks.extend(self.as_slow("as slow as the baseline", |truth| Cell::ramp(&self.rules, truth))?);
        Ok(checks)
    }

    /// How often a fix that is as slow as what it replaces is rolled back, with and without pauses of a whole side.
    fn as_slow<'a>(
        &self,
        what: &str,
        cell: impl Fn(Truth) -> Result<Cell<'a>, InvalidValue>,
    ) -> Result<Vec<Check>, InvalidValue> {
        let check = |pauses: f64| {
            let cell = cell(Truth::errors(0.001, 0.001).slower(1.0).with_pauses(pauses))?;
            let name = format!("false rollback, {what}, pauses in {}", percent(pauses));
            let hits = self.count(&name, |random| cell.rolls_back(random))?;
            Ok(self.chance(name, hits, MOST_FALSE_ROLLBACKS))
        };
        [0.0, 0.05].into_iter().map(check).collect()
    }

    /// How many scrapes a harmful fix stays, at one weight from the start.
    ///
    /// # Errors
    /// As [`Study::false_rollbacks`].
    pub fn detection(&self) -> Result<Vec<Check>, InvalidValue> {
        let mut checks = vec![self.cost()?];
        for truth in [Truth::errors(0.001, 0.01), Truth::errors(0.001, 0.01).slower(1.0)] {
            let ten = self.delays(truth, 10)?;
            checks.push(ten.check("median", f64::from(ten.share(0.5)), 12.0));
            checks.push(ten.check("95 of 100 within", f64::from(ten.share(0.95)), 25.0));
        }
        for (baseline, canary, percent, most) in
            [(0.001, 0.01, 25, 8.0), (0.001, 0.01, 50, 7.0), (0.01, 0.1, 10, 3.0)]
        {
            let delays = self.delays(Truth::errors(baseline, canary), percent)?;
            checks.push(delays.check("mean", delays.mean(), most));
        }
        for (slower, most) in [(1.5, 6.0), (2.0, 3.0)] {
            let delays = self.delays(Truth::errors(0.001, 0.001).slower(slower), 10)?;
            // The first scrape tells nothing of the latency of instances that have just started.
            checks.push(delays.check("mean after the first", delays.mean() - 1.0, most));
        }
        for timed in [Truth::errors(0.001, 1.0), Truth::errors(0.001, 1.0).slower(1.0)] {
            let outage = self.delays(timed, 10)?;
            let (least, most) = (outage.share(0.0), outage.share(1.0));
            checks.push(Check {
                name: format!("scrapes until rollback, {}", outage.what),
                figures: format!("from {least} to {most} (always 2)"),
                held: (least, most) == (2, 2),
            });
        }
        Ok(checks)
    }

    /// What latency is held against where there is no baseline: how often a harmless rollout is rolled back that ends with
    /// all the traffic, and how long a slow one stays that has it from the start.
    ///
    /// # Errors
    /// As [`Study::false_rollbacks`].
    pub fn alone(&self) -> Result<Vec<Check>, InvalidValue> {
        let mut checks =
            self.as_slow("to 100 %, as slow as before", |truth| Cell::whole(&self.rules, truth))?;
        for (slower, most) in [(1.5, 6.0), (2.0, 4.0)] {
            let delays = self.delays(Truth::errors(0.001, 0.001).slower(slower), 100)?;
            checks.push(delays.check("mean after the first", delays.mean() - 1.0, most));
        }
        Ok(checks)
    }

    /// How many requests a fix costs that fails ten times as often.
    fn cost(&self) -> Result<Check, InvalidValue> {
        let traffic = Climber::traffic(Truth::errors(0.001, 0.01))?;
        let climber = Climber::Judge(Box::new(self.rules.clone()));
        let name = "failed requests of a ladder, 0.1 % to 1 % errors, mean".to_owned();
        let climbs = each(&name, self.runs, |random| climber.climb(&traffic, random))?;
        let mean = climbs.iter().map(|climb| climb.excess).sum::<f64>() / climbs.len() as f64;
        Ok(Check { name, figures: format!("{} (at most 10)", rounded(mean)), held: mean <= 10.0 })
    }

    /// Whether, and how fast, a good fix climbs a ladder that follows the decisions.
    ///
    /// # Errors
    /// As [`Study::false_rollbacks`].
    pub fn healthy_ladder(&self) -> Result<Vec<Check>, InvalidValue> {
        let traffic = Climber::traffic(Truth::errors(0.001, 0.001))?;
        let climber = Climber::Judge(Box::new(self.rules.clone()));
        let name = "healthy ladder, 0.1 % errors".to_owned();
        let climbs = each(&name, self.runs, |random| climber.climb(&traffic, random))?;
        let promoted = climbs.iter().filter(|climb| climb.end == End::Promoted);
        let lengths: Vec<f64> = promoted.map(|climb| f64::from(climb.scrapes)).collect();
        let stopped = u32::try_from(climbs.len() - lengths.len()).unwrap_or(u32::MAX);
        let minutes = lengths.iter().sum::<f64>() / lengths.len() as f64 / SCRAPES_A_MINUTE;
        Ok(vec![
            self.chance(format!("not promoted, {name}"), stopped, MOST_STOPPED),
            Check {
                name: format!("mean minutes, {name}"),
                figures: format!("{minutes:.2} (at most 8.5)"),
                held: minutes <= 8.5,
            },
        ])
    }

    /// How often a canary that is exactly as bad as may not be is shown to be good in the 80 scrapes of a ramp. Its rate
    /// is not acceptable by itself either, so that both ways to show it are wrong.
    ///
    /// # Errors
    /// As [`Study::false_rollbacks`].
    pub fn wrong_proofs(&self) -> Result<Vec<Check>, InvalidValue> {
        let (ratio, acceptable) = (self.rules.judge.bad_ratio, self.rules.judge.acceptable_rate);
        let mut checks = vec![];
        for canary in [acceptable, 0.02, 0.1] {
            // The ratio is one of odds.
            let odds = canary / (1.0 - canary) / ratio;
            let baseline = odds / (1.0 + odds);
            let cell = Cell::ramp(&self.rules, Truth::errors(baseline, canary))?;
            let name = format!("wrong proof, {} errors, odds {ratio} times the baseline's", percent(canary));
            let hits = self.count(&name, |random| cell.is_proven(random))?;
            checks.push(self.chance(name, hits, MOST_WRONG_PROOFS));
        }
        Ok(checks)
    }

    fn delays(&self, truth: Truth, weight: u8) -> Result<Delays, InvalidValue> {
        let cell = Cell::constant(&self.rules, truth, weight)?;
        let mut what = format!("{} to {} errors", percent(truth.baseline), percent(truth.canary));
        if let Some(slower) = truth.slower {
            what.push_str(&format!(", {slower} times as slow,"));
        }
        what.push_str(&format!(" at {weight} %"));
        let mut sorted = each(&what, self.runs, |random| cell.found_after(random))?;
        sorted.sort_unstable();
        Ok(Delays { what, sorted })
    }

    fn count(
        &self,
        cell: &str,
        play: impl Fn(&mut Random) -> Result<bool, InvalidValue> + Sync,
    ) -> Result<u32, InvalidValue> {
        let hits = each(cell, self.runs, play)?.into_iter().filter(|hit| *hit).count();
        Ok(u32::try_from(hits).unwrap_or(u32::MAX))
    }

    fn chance(&self, name: String, hits: u32, most: f64) -> Check {
        let (low, high) = (limit::lower(hits, self.runs), limit::upper(hits, self.runs));
        let held = match self.claim {
            Claim::Shown => high < most,
            Claim::NotRefuted => low <= most,
        };
        let [low, high, most] = [low, high, most].map(percent);
        let figures = format!("{hits} of {} runs, {low} to {high} (at most {most})", self.runs);
        Check { name, figures, held }
    }
}

/// How many scrapes it took to find harm, in all runs of a cell.
struct Delays {
    what: String,
    sorted: Vec<u32>,
}

impl Delays {
    fn mean(&self) -> f64 {
        self.sorted.iter().map(|scrapes| f64::from(*scrapes)).sum::<f64>() / self.sorted.len() as f64
    }

    /// The scrapes within which that share of the runs was rolled back.
    fn share(&self, share: f64) -> u32 {
        let place = (share * self.sorted.len() as f64).ceil() as usize;
        self.sorted.get(place.saturating_sub(1)).copied().unwrap_or(PATIENCE)
    }

    fn check(&self, figure: &str, seen: f64, most: f64) -> Check {
        Check {
            name: format!("scrapes until rollback, {}, {figure}", self.what),
            figures: format!("{} (at most {most})", rounded(seen)),
            held: seen <= most,
        }
    }
}

/// Writes a share as a percentage, with three digits after the point at most.
fn percent(share: f64) -> String {
    format!("{} %", rounded(share * 100.0))
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
