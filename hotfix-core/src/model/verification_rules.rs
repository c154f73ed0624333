//! How a rollout is verified, as one piece of data for a policy to hold.

use serde::{Deserialize, Serialize};

use super::{InvalidValue, JudgeSettings, Pace};

/// What is harm, what is health, and how long to look.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerificationRules {
    /// The constants of the judge.
    pub judge: JudgeSettings,
    /// How many scrapes each decision waits for.
    pub pace: Pace,
}

impl VerificationRules {
    /// Refuses rules that cannot be kept.
    ///
    /// # Errors
    /// As [`JudgeSettings::check`] and [`Pace::check`].
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.judge.check()?;
        self.pace.check()
    }
}
