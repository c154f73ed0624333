//! How long a rollout stays at a weight, counted in scrapes.

use serde::{Deserialize, Serialize};

use super::InvalidValue;

/// How many scrapes each decision waits for. The defaults are for one scrape every 15 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Scrapes with canary traffic before a proven canary goes forward: 4.
    pub min_dwell: u32,
    /// The same when the canary is shown to be better than the baseline: 2.
    pub quick_dwell: u32,
    /// Scrapes with canary traffic after which a canary goes forward unproven: 20.
    pub max_dwell: u32,
    /// Scrapes with traffic at 100 %, where no baseline is left: 20.
    pub alone_dwell: u32,
    /// Canary requests without which nothing goes forward unproven: 50.
    pub min_requests: u64,
    /// Missed scrapes in a row after which the rollout is blind: 12.
    pub blind_limit: u32,
    /// What happens then: it freezes.
    pub on_blind: OnBlind,
    /// Scrapes in a row without canary traffic after which that is an error of the set-up: 4.
    pub quiet_limit: u32,
    /// Scrapes in a row with less than a quarter of the expected canary traffic after which the canary counts as not
    /// answering: 2.
    pub starved_limit: u32,
    /// Expected canary requests below which a scrape says nothing about that: 20. A healthy canary then falls below a
    /// quarter in less than 2 of 100 000 scrapes.
    pub starved_expects: u32,
    /// Scrapes at one weight in which something stood against going forward after which a human is asked: 60.
    pub hold_limit: u32,
}

/// What a rollout does when it has been without metrics for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBlind {
    /// Stay at the weight and ask a human: the old version is the one known to be bad.
    #[default]
    Freeze,
    /// Go back.
    RollBack,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            min_dwell: 4,
            quick_dwell: 2,
            max_dwell: 20,
            alone_dwell: 20,
            min_requests: 50,
            blind_limit: 12,
            on_blind: OnBlind::Freeze,
            quiet_limit: 4,
            starved_limit: 2,
            starved_expects: 20,
            hold_limit: 60,
        }
    }
}

impl Pace {
    /// Refuses paces under which a decision could never be reached, or would be without a look.
    ///
    /// # Errors
    /// [`InvalidValue`] naming the first such value.
    pub fn check(&self) -> Result<(), InvalidValue> {
        let least = |what, value: u32, least: u32| {
            if value >= least {
                Ok(())
            } else {
                Err(InvalidValue::new(what, &value.to_string(), format!("{least} or more")))
            }
        };
        least("quick_dwell", self.quick_dwell, 1)?;
        least("min_dwell", self.min_dwell, self.quick_dwell)?;
        least("max_dwell", self.max_dwell, self.min_dwell)?;
        least("alone_dwell", self.alone_dwell, 1)?;
        least("blind_limit", self.blind_limit, 1)?;
        least("quiet_limit", self.quiet_limit, 1)?;
        least("starved_limit", self.starved_limit, 1)?;
        least("starved_expects", self.starved_expects, 1)?;
        least("hold_limit", self.hold_limit, 1)
    }
}
