//! Evidence that the canary fails more often than some rate: the ceiling no release may be above, which is the only test
//! where there is no baseline, or the floor below which nothing is harm.

use super::likelihood::RateTilt;
use super::mixture::Mixture;
use super::start::{Onset, StartMass};
use crate::model::{Counts, JudgeSettings};

/// For each `x` in X a bet that the error rate is `1 − (1−θ)ˣ` instead of at most `θ`, with the recursion, the
/// dispersion and the cap of the count process.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CeilingProcess {
    theta: f64,
    factors: Vec<f64>,
    tilts: Vec<RateTilt>,
    phi: f64,
    cap: f64,
    stake: f64,
    start: StartMass,
    wealth: Mixture,
}

/// Above this rate a ceiling cannot be told from "everything fails".
const HIGHEST: f64 = 0.9;

impl CeilingProcess {
    /// Bets that more than `theta` of the requests fail; no scrape adds more than `cap`.
    pub(super) fn new(settings: &JudgeSettings, theta: f64, cap: f64, start: StartMass, phi: f64) -> Self {
        let factors = settings.harm_ratios.clone();
        Self {
            theta,
            tilts: tilts(theta, &factors),
            wealth: Mixture::of(factors.len()),
            factors,
            phi,
            cap,
            stake: 1.0,
            start,
        }
    }

    pub(super) fn update(&mut self, onset: Onset, canary: Counts) {
        let started = self.start.release(onset);
        let factor = |tilt: &RateTilt| libm::exp((tilt.log(canary) / self.phi).min(self.cap));
        self.wealth.update(started, self.tilts.iter().map(factor));
    }

    /// Starts anew with a stake that was won before, under a ceiling of at least twice what the baseline may have had: a
    /// fix that is no worse than what it replaced is not condemned when that is gone.
    ///
    /// The ceiling is known before the scrapes it is used for, so these stay fair bets against "at most this rate".
    pub(super) fn restart(&mut self, stake: f64, start: StartMass, baseline: Counts) {
        self.theta = self.theta.max(allowed(baseline, self.phi));
        self.tilts = tilts(self.theta, &self.factors);
        self.wealth = Mixture::of(self.factors.len());
        self.stake = stake;
        self.start = start;
    }

    pub(super) const fn theta(&self) -> f64 {
        self.theta
    }

    pub(super) fn wealth(&self) -> f64 {
        self.stake * self.wealth.total(self.start.reserve())
    }
}

fn tilts(theta: f64, factors: &[f64]) -> Vec<RateTilt> {
    factors.iter().map(|x| RateTilt::new(theta, *x)).collect()
}

/// Returns the rate that is allowed where this is what the baseline had: twice what it may have had.
pub(super) fn allowed(baseline: Counts, phi: f64) -> f64 {
    (2.0 * upper_bound(baseline, phi)).min(HIGHEST)
}

/// Returns the upper end of Wilson's 95 % interval for an error rate, with the counts divided by their dispersion;
/// 0 without requests, which bound nothing.
fn upper_bound(counts: Counts, phi: f64) -> f64 {
    const Z: f64 = 1.96;
    if counts.requests() == 0 {
        return 0.0;
    }
    let n = counts.requests() as f64 / phi;
    let p = counts.errors() as f64 / counts.requests() as f64;
    let spread = (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (p + Z * Z / (2.0 * n) + Z * spread) / (1.0 + Z * Z / n)
}
