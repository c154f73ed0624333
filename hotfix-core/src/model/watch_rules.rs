//! What is looked out for after a success, when there is nothing left to compare with.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{InvalidValue, Measure, Percent, Period, Span, Threshold};

/// How a release that is live is watched: absolute limits, and how fast it uses up the error budget.
///
/// None of these bounds a false alarm; they are the net below the judge, not the judge. [`Threshold`] says how often
/// a limit condemns what is usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchRules {
    /// The time between two looks.
    pub every: Period,
    /// Error rates over a time, such as `error rate over 5 % within 10m`.
    pub thresholds: Vec<Threshold>,
    /// The share of requests that shall succeed. What is left of the whole is the error budget.
    pub objective: Percent,
    /// How fast the budget may be spent.
    pub burns: Vec<Burn>,
}

impl Default for WatchRules {
    fn default() -> Self {
        let five_percent = Percent::thousandths(5000);
        let rule =
            Threshold::new(Measure::ErrorRate { over: five_percent }, Span::Within(Period::from_mins(10)));
        Self {
            every: Period::from_mins(1),
            thresholds: rule.into_iter().collect(),
            objective: Percent::thousandths(99_900),
            burns: vec![Burn::FAST, Burn::SLOW],
        }
    }
}

impl WatchRules {
    /// Refuses rules that cannot be kept.
    ///
    /// # Errors
    /// [`InvalidValue`] naming the rule: no time between looks, nothing to look out for, a threshold that needs a baseline,
    /// latencies or scrapes in a row, an objective of everything or of nothing, and windows that do not fit.
    pub fn check(&self) -> Result<(), InvalidValue> {
        if self.every.as_millis() == 0 {
            return Err(InvalidValue::new("every", "0s", "periods above 0s"));
        }
        if self.thresholds.is_empty() && self.burns.is_empty() {
            return Err(InvalidValue::new("rules", "none", "at least one of thresholds and burns"));
        }
        let absolute = |rule: &Threshold| {
            matches!((rule.measure, rule.span), (Measure::ErrorRate { .. }, Span::Within(_)))
        };
        for rule in &self.thresholds {
            rule.checked()?;
            if !absolute(rule) {
                let allowed = "error rates over a time, such as \"error rate over 5 % within 10m\"";
                return Err(InvalidValue::new("thresholds", &rule.to_string(), allowed));
            }
        }
        if self.objective >= Percent::ALL || self.objective < Percent::HALF {
            let allowed = "50 % up to, and without, 100 %";
            return Err(InvalidValue::new("objective", &self.objective.to_string(), allowed));
        }
        self.burns.iter().try_for_each(Burn::check)
    }

    /// Returns how far back the rules look.
    #[must_use]
    pub fn longest(&self) -> Period {
        let within = self.thresholds.iter().filter_map(|rule| match rule.span {
            Span::Within(period) => Some(period),
            Span::InARow(_) | Span::InAll(_) => None,
        });
        within.chain(self.burns.iter().map(|burn| burn.within)).max().unwrap_or(self.every)
    }
}

/// A share of a month's error budget that must not be spent within a time, unless it is over already.
///
/// The multi-window form of the SRE workbook, chapter "Alerting on SLOs": 2 % within an hour is a burn rate of 14.4, 5 %
/// within six hours one of 6. The short window tells whether it still goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burn {
    /// The share of the budget of 30 days.
    pub spends: Percent,
    /// The long window.
    pub within: Period,
    /// The short window.
    pub still: Period,
}

/// What a budget is for.
const MONTH: Period = Period::from_hours(30 * 24);

/// Fewer errors than these are no burn: a service that is hardly used would spend a share of its budget with one.
const LEAST_ERRORS: u64 = 10;

impl Burn {
    /// 2 % within an hour, and still in the last five minutes.
    pub const FAST: Self = Self {
        spends: Percent::thousandths(2000),
        within: Period::from_hours(1),
        still: Period::from_mins(5),
    };
    /// 5 % within six hours, and still in the last half an hour.
    pub const SLOW: Self = Self {
        spends: Percent::thousandths(5000),
        within: Period::from_hours(6),
        still: Period::from_mins(30),
    };

    fn check(&self) -> Result<(), InvalidValue> {
        let windows = format!("{} and {}", self.within, self.still);
        if self.still.as_millis() == 0 || self.still >= self.within || self.within > MONTH {
            let allowed = "a short window above 0s that is shorter than the long one, of at most 30d";
            return Err(InvalidValue::new("burns", &windows, allowed));
        }
        if self.spends.share() <= 0.0 || self.spends > Percent::ALL {
            return Err(InvalidValue::new("burns", &self.spends.to_string(), "above 0 % and up to 100 %"));
        }
        Ok(())
    }

    /// Returns whether the share is spent: `long` and `short` hold the requests and errors of the two windows, of which
    /// the first reaches back only as far as `watched`.
    ///
    /// What came before the watch counts as free of errors at the same rate of requests, so a watch that has just begun
    /// needs as many errors as one of the whole window.
    #[must_use]
    pub fn is_spent(
        &self,
        objective: Percent,
        watched: Period,
        long: super::Counts,
        short: super::Counts,
    ) -> bool {
        let seen = watched.min(self.within).as_millis();
        if seen == 0 || long.errors() < LEAST_ERRORS {
            return false;
        }
        let budget = objective.rest().share();
        let month = MONTH.as_millis() as f64;
        let whole_budget = budget * long.requests() as f64 * month / seen as f64;
        let pace = self.spends.share() * month / self.within.as_millis() as f64;
        long.errors() as f64 > self.spends.share() * whole_budget
            && short.errors() as f64 > pace * budget * short.requests() as f64
    }
}

impl fmt::Display for Burn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the month's error budget within {}", self.spends, self.within)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Counts;
    use super::*;

    fn counts(requests: u64, errors: u64) -> Counts {
        Counts::new(requests, errors).unwrap()
    }

    #[test]
    fn the_defaults_are_the_windows_of_the_workbook() {
        let rules = WatchRules::default();
        rules.check().unwrap();
        assert_eq!(rules.thresholds[0].to_string(), "error rate over 5 % within 10m");
        assert_eq!(rules.objective.to_string(), "99.9 %");
        let pace = |burn: Burn| burn.spends.share() * 720.0 / (burn.within.as_millis() as f64 / 3_600_000.0);
        assert!((pace(Burn::FAST) - 14.4).abs() < 1e-9 && (pace(Burn::SLOW) - 6.0).abs() < 1e-9);
        assert_eq!(rules.longest(), Period::from_hours(6));
    }

    #[test]
    fn a_burn_needs_both_windows() {
        let objective: Percent = "99.9 %".parse().unwrap();
        let hour = Period::from_hours(1);
        let spent = |watched, long, short| Burn::FAST.is_spent(objective, watched, long, short);
        // 14.4 times 0.1 % of 100,000 requests are 1,440 errors.
        assert!(!spent(hour, counts(100_000, 1440), counts(8000, 800)));
        assert!(spent(hour, counts(100_000, 1441), counts(8000, 800)));
        assert!(!spent(hour, counts(100_000, 5000), counts(8000, 115)), "it is over");
        // A sixth of the hour was watched: six times the rate.
        let tenth = Period::from_mins(10);
        assert!(!spent(tenth, counts(100_000, 8640), counts(50_000, 5000)));
        assert!(spent(tenth, counts(100_000, 8641), counts(50_000, 5000)));
        assert!(!spent(hour, counts(20, 9), counts(20, 9)), "nine errors are no burn");
        assert!(!spent(Period::default(), counts(20, 20), counts(20, 20)));
    }

    #[test]
    fn what_cannot_be_looked_out_for_is_refused() {
        let refused = |change: fn(&mut WatchRules)| {
            let mut rules = WatchRules::default();
            change(&mut rules);
            rules.check().unwrap_err().to_string()
        };
        for (change, text) in [
            (
                (|rules| rules.every = Period::default()) as fn(&mut WatchRules),
                "invalid every \"0s\": allowed are periods above 0s",
            ),
            (
                |rules| rules.thresholds = vec!["p95 over 500ms within 10m".parse().unwrap()],
                "invalid thresholds \"p95 over 500ms within 10m\": allowed are error rates over a time, such as \
                 \"error rate over 5 % within 10m\"",
            ),
            (
                |rules| (rules.thresholds, rules.burns) = (Vec::new(), Vec::new()),
                "invalid rules \"none\": allowed are at least one of thresholds and burns",
            ),
            (
                |rules| rules.objective = Percent::ALL,
                "invalid objective \"100 %\": allowed are 50 % up to, and without, 100 %",
            ),
            (
                |rules| rules.burns[0].still = Period::from_hours(2),
                "invalid burns \"1h and 2h\": allowed are a short window above 0s that is shorter than the long one, of \
                 at most 30d",
            ),
        ] {
            assert_eq!(refused(change), text);
        }
    }
}
