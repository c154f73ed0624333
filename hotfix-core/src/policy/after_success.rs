//! How a release is watched when it is live, and what is done when it turns bad late.

use serde::{Deserialize, Serialize};

use super::invalid::Faults;
use crate::model::{Period, WatchRules};

/// The watch that follows a deploy that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AfterSuccess {
    /// For how long; `0s`: no watch.
    pub lasting: Period,
    /// What is looked out for.
    pub rules: WatchRules,
    /// What is done when a limit is exceeded.
    pub on_breach: LateBreach,
    /// How long a rollback that needs somebody's agreement waits for it. It holds its workload meanwhile.
    pub answer_within: Period,
}

/// What is done when a release turns bad after its success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateBreach {
    /// A rollback is prepared and waits until somebody agrees.
    #[default]
    Ask,
    /// It is rolled back at once.
    RollBack,
}

impl Default for AfterSuccess {
    fn default() -> Self {
        Self {
            lasting: Period::from_hours(2),
            rules: WatchRules::default(),
            on_breach: LateBreach::Ask,
            answer_within: Period::from_hours(1),
        }
    }
}

impl AfterSuccess {
    pub(super) fn check(&self, faults: &mut Faults) {
        if let Err(error) = self.rules.check() {
            faults.add_invalid("after_success.rules", &error);
        }
        faults.not_zero("after_success.answer_within", self.answer_within);
    }
}
