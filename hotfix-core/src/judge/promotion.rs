//! Evidence of health: the same bets with the hypotheses turned round. To promote, harm must be refuted; that no harm
//! was found is not enough.

use super::compared::Compared;
use super::likelihood::{ConditionalTilt, RateTilt};
use super::mixture::LogMixture;
use crate::model::{Counts, JudgeSettings};

/// Against "errors are at least `ratio` times as likely on the canary", for each `y` in Y a bet that they are `y·ratio`
/// times as likely: the relative proof with `r_bad`, the efficacy of the fix with 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RelativeProof {
    tilts: Vec<ConditionalTilt>,
    phi: f64,
    wealth: LogMixture,
}

impl RelativeProof {
    pub(super) fn new(ratio: f64, settings: &JudgeSettings, phi: f64) -> Self {
        let tilt = |y: &f64| ConditionalTilt::new(ratio, *y);
        Self {
            tilts: settings.health_ratios.iter().map(tilt).collect(),
            phi,
            wealth: LogMixture::of(settings.health_ratios.len()),
        }
    }

    pub(super) fn update(&mut self, scrape: Compared<'_>) {
        let sum = |tilt: &ConditionalTilt| scrape.parts().map(|part| tilt.log(part)).sum::<f64>();
        let log = |tilt: &ConditionalTilt| sum(tilt) / self.phi;
        self.wealth.update(self.tilts.iter().map(log));
    }

    pub(super) fn log_wealth(&self) -> f64 {
        self.wealth.log_wealth()
    }
}

/// Against "the canary's error rate is at least `θ_ok`", for each `y` in Y a bet that it is `1 − (1−θ_ok)ʸ`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AbsoluteProof {
    tilts: Vec<RateTilt>,
    phi: f64,
    wealth: LogMixture,
}

impl AbsoluteProof {
    pub(super) fn new(settings: &JudgeSettings, phi: f64) -> Self {
        let tilt = |y: &f64| RateTilt::new(settings.acceptable_rate, *y);
        Self {
            tilts: settings.health_ratios.iter().map(tilt).collect(),
            phi,
            wealth: LogMixture::of(settings.health_ratios.len()),
        }
    }

    pub(super) fn update(&mut self, canary: Counts) {
        let log = |tilt: &RateTilt| tilt.log(canary) / self.phi;
        self.wealth.update(self.tilts.iter().map(log));
    }

    pub(super) fn log_wealth(&self) -> f64 {
        self.wealth.log_wealth()
    }
}

/// Returns the logarithm of the mean of two wealths given by theirs.
pub(super) fn log_mean(a: f64, b: f64) -> f64 {
    let most = a.max(b);
    most + libm::log(f64::midpoint(libm::exp(a - most), libm::exp(b - most)))
}
