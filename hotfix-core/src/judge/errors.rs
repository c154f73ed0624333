//! Evidence of harm from errors or slow requests, against the baseline: a process that counts them and one that only
//! sees their share.

use super::compared::Compared;
use super::likelihood::{ConditionalTilt, traffic};
use super::mixture::Mixture;
use super::start::{Onset, StartMass};
use crate::model::{JudgeSettings, Totals};

/// `E_err = (E_count + E_share) / 2`: the count process is fast, the share process withstands bursts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ErrorProcess {
    start: StartMass,
    count: CountProcess,
    share: ShareProcess,
}

impl ErrorProcess {
    /// Bets that errors are more than `ratio` times as likely on the canary; no scrape adds more than `cap`.
    pub(super) fn new(settings: &JudgeSettings, ratio: f64, cap: f64, start: StartMass, phi: f64) -> Self {
        let count = CountProcess::new(settings, ratio, cap, phi);
        Self { start, count, share: ShareProcess::new(settings, ratio) }
    }

    pub(super) fn update(&mut self, onset: Onset, scrape: Compared<'_>) {
        let started = self.start.release(onset);
        self.count.update(started, scrape);
        self.share.update(started, scrape);
    }

    pub(super) fn count(&self) -> f64 {
        self.count.wealth.total(self.start.reserve())
    }

    pub(super) fn share(&self) -> f64 {
        self.share.wealth.total(self.start.reserve())
    }

    pub(super) fn wealth(&self) -> f64 {
        f64::midpoint(self.count(), self.share())
    }
}

/// The count process: for each `x` in X a bet that errors are `x` times as likely on the canary as tolerated,
/// `factor = exp(min(log / φ, cap))`.
///
/// The conditional likelihood ratio of Lindon & Malek (2022) has expectation 1 at `r₀`, and less below it. Dividing the
/// logarithm by the dispersion and cutting it off can only lower that: no single scrape may decide.
#[derive(Debug, Clone, PartialEq)]
struct CountProcess {
    tilts: Vec<ConditionalTilt>,
    phi: f64,
    cap: f64,
    wealth: Mixture,
}

impl CountProcess {
    fn new(settings: &JudgeSettings, ratio: f64, cap: f64, phi: f64) -> Self {
        let tilt = |x: &f64| ConditionalTilt::new(ratio, *x);
        Self {
            tilts: settings.harm_ratios.iter().map(tilt).collect(),
            phi,
            cap,
            wealth: Mixture::of(settings.harm_ratios.len()),
        }
    }

    fn update(&mut self, started: f64, scrape: Compared<'_>) {
        let log = |tilt: &ConditionalTilt| scrape.parts().map(|part| tilt.log(part)).sum::<f64>();
        let factor = |tilt: &ConditionalTilt| libm::exp((log(tilt) / self.phi).min(self.cap));
        self.wealth.update(started, self.tilts.iter().map(factor));
    }
}

/// The share process: for each `k` in K a stake on the canary's share of the errors of one scrape,
/// `factor = 1 − k + k·(e_c/m)/q`.
///
/// However many errors come at once, they enter as one share whose expectation is at most `q`.
#[derive(Debug, Clone, PartialEq)]
struct ShareProcess {
    ratio: f64,
    stakes: Vec<f64>,
    wealth: Mixture,
}

impl ShareProcess {
    fn new(settings: &JudgeSettings, ratio: f64) -> Self {
        Self { ratio, stakes: settings.stakes.clone(), wealth: Mixture::of(settings.stakes.len()) }
    }

    fn update(&mut self, started: f64, scrape: Compared<'_>) {
        let excess = self.excess(scrape);
        let factor = |k: &f64| 1.0 - k + k * excess;
        self.wealth.update(started, self.stakes.iter().map(factor));
    }

    /// Returns how many times its due share of the errors the canary had; 1 when that cannot be said. What is due of several
    /// kinds is the mean of what is due of each, by their errors.
    fn excess(&self, scrape: Compared<'_>) -> f64 {
        let errors = |part: &Totals| part.canary.errors() as f64 + part.baseline.errors() as f64;
        let parts = || scrape.parts().filter_map(|part| Some((part, traffic(part)?)));
        let all: f64 = parts().map(|(part, _)| errors(part)).sum();
        if all <= 0.0 {
            return 1.0;
        }
        let on_canary: f64 = parts().map(|(part, _)| part.canary.errors() as f64).sum();
        let share = |[n_c, n_b]: [f64; 2]| self.ratio * n_c / (self.ratio * n_c + n_b);
        let due: f64 = parts().map(|(part, traffic)| errors(part) / all * share(traffic)).sum();
        on_canary / all / due
    }
}
