//! The constants of the judge. The defaults need no tuning to a service; what would break the bound on false alarms is
//! refused.

use serde::{Deserialize, Serialize};

use super::InvalidValue;
use super::profile::SomeSettings;

/// What counts as harm and as health, and how sure a decision must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "SomeSettings")]
pub struct JudgeSettings {
    /// α: the chance that a harmless canary is ever rolled back, over the whole rollout: 0.01.
    pub alpha: f64,
    /// β: the chance that a bad canary is ever shown to be good: 0.05.
    pub beta: f64,
    /// r₀: errors may be this many times as likely (odds) on the canary before that is harm: 1.1.
    pub tolerated_ratio: f64,
    /// r₀ of latency: requests may be slower than a bound this many times as likely (odds) on the canary before that is
    /// harm: 1.5. A p95 that is a tenth higher is about 1.4.
    #[serde(skip_serializing_if = "is_latency_ratio")]
    pub latency_ratio: f64,
    /// X: how many times worse than tolerated a harmful canary may be; the bet on harm is spread over them.
    pub harm_ratios: Vec<f64>,
    /// K: the fractions of the stake the share process bets.
    pub stakes: Vec<f64>,
    /// The most log evidence one scrape may add. `None`: half of what a rollback takes, so that no single scrape decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_cap: Option<f64>,
    /// How the decision statistic is put together.
    pub weights: StatisticWeights,
    /// θ: an error rate no release may have, unless its baseline is as bad: 0.05.
    pub ceiling: f64,
    /// An error rate below which nothing is harm, however much worse than the baseline it is. `None`: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// r_bad: a canary is shown to be good when errors are shown to be less than this many times as likely on it: 2.
    pub bad_ratio: f64,
    /// θ_ok: or when its error rate is shown to be below this: 0.005.
    pub acceptable_rate: f64,
    /// Y: how many times better than bad a good canary may be; the bet on health is spread over them.
    pub health_ratios: Vec<f64>,
    /// Evidence of harm from which on nothing goes forward: 10.
    pub suspicion: f64,
    /// Evidence that the fix works from which on a weight may be left sooner: 20.
    pub efficacy: f64,
    /// H: how many scrapes the rollout is expected to take: 80. A guess is enough; more scrapes are as safe.
    pub planned_scrapes: u32,
}

/// The shares of the statistics in the decision statistic; what they leave of 1 is not bet.
///
/// A weighted mean of e-processes is an e-process under any dependence between them as long as the weights do not sum
/// to more than 1. Where latencies are not known, the errors have their share too: that is known before the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatisticWeights {
    /// The share of the comparison of errors with the baseline: 0.5.
    pub errors: f64,
    /// The share of the comparison of latencies with the baseline: 0.25; 0 where weights are written down without it.
    #[serde(default = "nothing", skip_serializing_if = "is_nothing")]
    pub latency: f64,
    /// The share of the ceiling: 0.25.
    pub ceiling: f64,
}

impl Default for StatisticWeights {
    fn default() -> Self {
        Self { errors: 0.5, latency: 0.25, ceiling: 0.25 }
    }
}

const LATENCY_RATIO: f64 = 1.5;

/// What journals leave out must keep its meaning for ever: another default takes another field.
fn is_latency_ratio(ratio: &f64) -> bool {
    *ratio == LATENCY_RATIO
}

const fn nothing() -> f64 {
    0.0
}

fn is_nothing(share: &f64) -> bool {
    *share == 0.0
}

impl Default for JudgeSettings {
    fn default() -> Self {
        Self::standard()
    }
}

impl JudgeSettings {
    /// The settings for most fixes: a canary is good when it is less than twice as bad or below 0.5 % errors.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            alpha: 0.01,
            beta: 0.05,
            tolerated_ratio: 1.1,
            latency_ratio: LATENCY_RATIO,
            harm_ratios: vec![1.5, 2.0, 4.0, 10.0, 40.0],
            stakes: vec![0.1, 0.25, 0.5, 0.9],
            log_cap: None,
            weights: StatisticWeights::default(),
            ceiling: 0.05,
            floor: None,
            bad_ratio: 2.0,
            acceptable_rate: 0.005,
            health_ratios: vec![0.5, 0.2, 0.1, 0.025],
            suspicion: 10.0,
            efficacy: 20.0,
            planned_scrapes: 80,
        }
    }

    /// Goes forward sooner by accepting more: less than three times as bad, or below 1 % errors. False rollbacks are
    /// bounded as in [`JudgeSettings::standard`].
    #[must_use]
    pub fn fast() -> Self {
        Self { bad_ratio: 3.0, acceptable_rate: 0.01, ..Self::standard() }
    }

    /// Refuses settings that would break the bound on false alarms or leave nothing to test.
    ///
    /// # Errors
    /// [`InvalidValue`] naming the first such value and what is allowed.
    pub fn check(&self) -> Result<(), InvalidValue> {
        within("alpha", self.alpha, LEAST_RATE, 0.5)?;
        within("beta", self.beta, LEAST_RATE, 0.5)?;
        within("tolerated_ratio", self.tolerated_ratio, 1.0, 100.0)?;
        within("latency_ratio", self.latency_ratio, 1.0, 100.0)?;
        each("harm_ratios", &self.harm_ratios, 1.001, 1e6)?;
        each("stakes", &self.stakes, 0.001, 0.999)?;
        if let Some(cap) = self.log_cap {
            within("log_cap", cap, 0.001, self.log_rollback())?;
        }
        let StatisticWeights { errors, latency, ceiling } = self.weights;
        within("weights.errors", errors, 0.0, 1.0)?;
        within("weights.latency", latency, 0.0, 1.0)?;
        within("weights.ceiling", ceiling, 0.0, 1.0)?;
        within("weights", errors + latency + ceiling, 0.001, 1.0)?;
        within("ceiling", self.ceiling, LEAST_RATE, 0.9)?;
        if let Some(floor) = self.floor {
            within("floor", floor, LEAST_RATE, self.ceiling)?;
        }
        within("bad_ratio", self.bad_ratio, 1.0, 100.0)?;
        within("acceptable_rate", self.acceptable_rate, LEAST_RATE, 0.9)?;
        each("health_ratios", &self.health_ratios, 1e-6, 0.999)?;
        within("suspicion", self.suspicion, 1.001, 1.0 / self.alpha)?;
        within("efficacy", self.efficacy, 1.001, 1e6)?;
        within("planned_scrapes", self.planned_scrapes.into(), 1.0, 1e6)
    }

    /// Returns the most log evidence one scrape may add: `(ln(1/α) + ln(2|X|)) / 2` unless set, which is 3.454.
    /// A rollback then takes two scrapes: 1/2|X| is what a ratio has at stake when the rollout starts.
    #[must_use]
    pub fn cap(&self) -> f64 {
        let start_cost = 2.0 * self.harm_ratios.len() as f64;
        self.log_cap.unwrap_or_else(|| f64::midpoint(self.log_rollback(), libm::log(start_cost)))
    }

    /// Returns the same for latency: half of what a rollback takes when the evidence counts only as far as the share of
    /// latency goes, 4.147. With the cap of errors a request that takes twice as long could not be found in two scrapes.
    #[must_use]
    pub fn latency_cap(&self) -> f64 {
        let share_cost = libm::log(1.0 / self.weights.latency.clamp(LEAST_RATE, 1.0));
        self.log_cap.unwrap_or_else(|| self.cap() + share_cost / 2.0)
    }

    /// Returns the log evidence of harm from which on the canary is rolled back: `ln(1/α)`.
    #[must_use]
    pub fn log_rollback(&self) -> f64 {
        libm::log(1.0 / self.alpha)
    }

    /// Returns the log evidence from which on the canary is shown to be good: `ln(1/β)`.
    #[must_use]
    pub fn log_promote(&self) -> f64 {
        libm::log(1.0 / self.beta)
    }
}

/// Below one error in a thousand million requests, logarithms of rates would lose their digits.
const LEAST_RATE: f64 = 1e-9;

fn within(what: &'static str, value: f64, least: f64, most: f64) -> Result<(), InvalidValue> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(InvalidValue::new(what, &value.to_string(), format!("numbers from {least} to {most}")))
    }
}

fn each(what: &'static str, values: &[f64], least: f64, most: f64) -> Result<(), InvalidValue> {
    if values.is_empty() || values.len() > 16 {
        return Err(InvalidValue::new(
            what,
            &format!("a list of {}", values.len()),
            "lists of 1 to 16 numbers",
        ));
    }
    values.iter().try_for_each(|value| within(what, *value, least, most))
}
