//! What the samples of a rollout amount to: the judge's statistics as plain numbers.

use serde::{Deserialize, Serialize};

use super::{Counts, LatencyBound};

/// The judge's findings after a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The statistics, all of them over the whole rollout.
    pub statistics: Statistics,
    /// What both sides answered since the rollout began.
    pub rollout: Totals,
    /// What both sides answered at the present weight.
    pub gate: Totals,
    /// What both sides answered late at the present weight; `None` when latencies are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
}

/// What both sides answered beyond the bound at which the canary stands out the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slow {
    /// The bound.
    pub over: LatencyBound,
    /// Requests of which the latency is known, and as "errors" those that took longer.
    pub totals: Totals,
}

/// Natural logarithms of betting scores: 0 is where a bet starts, `ln 100 = 4.6` means that a hundredfold gain was
/// made betting against the hypothesis. All are finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Against "the canary does no harm": the decision statistic, the weighted mean of `log_errors`, `log_latency` and
    /// `log_ceiling`.
    pub log_harm: f64,
    /// Against "errors fall on the canary no more often than its traffic explains": the mean of the next two.
    pub log_errors: f64,
    /// The part that counts errors, divided by their dispersion.
    pub log_count: f64,
    /// The part that only sees the canary's share of each scrape's errors.
    pub log_share: f64,
    /// Against "requests are slow on the canary no more often than `latency_ratio` allows"; 0 when latencies are not
    /// known.
    #[serde(default)]
    pub log_latency: f64,
    /// The ceiling's part in the decision: no more than `log_errors` while there is a baseline to compare with.
    pub log_ceiling: f64,
    /// Against "the canary's error rate is at most `ceiling`".
    pub log_absolute: f64,
    /// The error rate above which a canary without baseline is condemned.
    pub ceiling: f64,
    /// Against "the canary is bad": the promotion evidence.
    pub log_proof: f64,
    /// Its part against "errors are `bad_ratio` times as likely on the canary".
    pub log_proof_relative: f64,
    /// Its part against "the canary's error rate is at least `acceptable_rate`".
    pub log_proof_absolute: f64,
    /// Against "the canary is no better than the baseline".
    pub log_efficacy: f64,
}

/// What both sides answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Totals {
    /// The side with the fix.
    pub canary: Counts,
    /// The side without it.
    pub baseline: Counts,
}

impl Totals {
    /// Adds one scrape.
    #[must_use]
    pub const fn saturating_add(self, canary: Counts, baseline: Counts) -> Self {
        Self { canary: self.canary.saturating_add(canary), baseline: self.baseline.saturating_add(baseline) }
    }
}
