//! The two likelihood ratios all bets are made of.
//!
//! Logarithms and powers of the judge are those of `libm`: the standard library leaves their last digit to the platform, and
//! who takes a rollout over on another machine must come to the same evidence, bit for bit.

use crate::model::{Counts, Totals};

/// Given all errors of a scrape, how many fell on the canary: odds ratio `r·x` against odds ratio `r`.
///
/// `log = e_c·ln x − (e_c+e_b)·ln((r·x·n_c + n_b) / (r·n_c + n_b))`. `x > 1` bets on harm, `x < 1` on health.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConditionalTilt {
    ratio: f64,
    tilted: f64,
    ln_factor: f64,
}

impl ConditionalTilt {
    pub(super) fn new(ratio: f64, factor: f64) -> Self {
        Self { ratio, tilted: ratio * factor, ln_factor: libm::log(factor) }
    }

    /// Returns the log likelihood ratio of a scrape. Without traffic on both sides nothing can be compared.
    pub(super) fn log(&self, scrape: &Totals) -> f64 {
        let Some([n_c, n_b]) = traffic(scrape) else {
            return 0.0;
        };
        let on_canary = scrape.canary.errors() as f64;
        let all = on_canary + scrape.baseline.errors() as f64;
        on_canary * self.ln_factor - all * libm::log((self.tilted * n_c + n_b) / (self.ratio * n_c + n_b))
    }
}

/// Returns the requests of both sides, if both had some.
pub(super) fn traffic(scrape: &Totals) -> Option<[f64; 2]> {
    let [n_c, n_b] = [scrape.canary.requests(), scrape.baseline.requests()];
    (n_c > 0 && n_b > 0).then_some([n_c as f64, n_b as f64])
}

/// How many requests of the canary fail: error rate `p = 1 − (1−θ)ˣ` against error rate `θ`.
///
/// `log = e_c·ln(p/θ) + (n_c−e_c)·(x−1)·ln(1−θ)`. `x > 1` bets on harm, `x < 1` on health.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RateTilt {
    per_error: f64,
    per_success: f64,
}

impl RateTilt {
    pub(super) fn new(theta: f64, factor: f64) -> Self {
        let ln_success = libm::log1p(-theta);
        let rate = -libm::expm1(factor * ln_success);
        Self { per_error: libm::log(rate / theta), per_success: (factor - 1.0) * ln_success }
    }

    pub(super) fn log(&self, canary: Counts) -> f64 {
        canary.errors() as f64 * self.per_error + canary.successes() as f64 * self.per_success
    }
}
