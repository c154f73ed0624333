//! How a rollout is verified, as one piece of data for a policy to hold.

use serde::Serialize;

use super::{InvalidValue, JudgeSettings, Pace, Threshold};

/// What is harm, what is health, and how long to look.
///
/// Written down either as the name of a [`Profile`](super::Profile) alone, or by name with any of `profile`, `judge`,
/// `pace` and `thresholds`; what `judge` does not name is that of the profile, which is `standard` unless said:
///
/// ```toml
/// [judging]
/// profile = "fast"
/// judge = { alpha = 0.005 }
/// thresholds = ["error rate over 5.0 % within 10 minutes", "p99 over 2s in 3 scrapes in a row"]
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct VerificationRules {
    /// The constants of the judge.
    pub judge: JudgeSettings,
    /// How many scrapes each decision waits for.
    pub pace: Pace,
    /// Simple rules beside the judge; none unless said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
}

impl VerificationRules {
    /// Refuses rules that cannot be kept.
    ///
    /// # Errors
    /// As [`JudgeSettings::check`], [`Pace::check`] and [`Threshold::checked`].
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.judge.check()?;
        self.pace.check()?;
        self.thresholds.iter().try_for_each(|threshold| threshold.checked().map(|_| ()))
    }
}
