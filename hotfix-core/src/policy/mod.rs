//! The policy: everything that is decided before an emergency, as data.
//!
//! [`Settings`] is the open form that people write down (TOML, JSON, code); [`Policy`] is the same after every value
//! was looked at. A policy that makes no sense cannot be built, so nothing later has to check it again.

mod after_success;
mod environments;
mod execution;
mod freeze;
mod invalid;
mod minimal;
mod or_none;
mod path_glob;
mod rollout;
mod severity;
mod severity_defaults;
mod source;

use std::ops::Deref;

use serde::{Deserialize, Serialize};

pub use after_success::{AfterSuccess, LateBreach};
pub use environments::EnvironmentPolicy;
pub use execution::Execution;
pub use freeze::FreezeWindow;
pub use invalid::{InvalidPolicy, PolicyFault};
pub use minimal::{MinimalChange, MinimalityBreach};
pub use path_glob::PathGlob;
pub use rollout::RolloutPolicy;
pub use severity::{ApprovalRule, Audience, Review, Rule, SeverityRules, SeverityTable};
pub use source::{BranchTemplate, SourcePolicy};

use crate::model::{Period, VerificationRules};
use invalid::Faults;

/// The open form of a policy: public fields, complete defaults, unknown fields refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Branches, tags and who writes commits.
    pub source: SourcePolicy,
    /// The environments by role.
    pub environments: EnvironmentPolicy,
    /// How workloads are changed.
    pub rollout: RolloutPolicy,
    /// What each severity means and asks for.
    pub severities: SeverityTable,
    /// What an emergency fix may not touch.
    pub minimal_change: MinimalChange,
    /// When production is left alone.
    pub freeze: Vec<FreezeWindow>,
    /// How long an approval counts.
    pub approvals_last: Period,
    /// How old an observed fact may be when a plan is made of it.
    pub facts_last: Period,
    /// Attempts, delays and leases of a run.
    pub execution: Execution,
    /// What is harm, what is health, and how long to look.
    pub judging: VerificationRules,
    /// How a release is watched when it is live.
    pub after_success: AfterSuccess,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            source: SourcePolicy::default(),
            environments: EnvironmentPolicy::default(),
            rollout: RolloutPolicy::default(),
            severities: SeverityTable::default(),
            minimal_change: MinimalChange::default(),
            freeze: Vec::new(),
            approvals_last: Period::from_hours(24),
            facts_last: Period::from_mins(5),
            execution: Execution::default(),
            judging: VerificationRules::default(),
            after_success: AfterSuccess::default(),
        }
    }
}

/// Settings that make sense. Read through [`Deref`]; changed by [`Policy::into_settings`] and [`Policy::new`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Settings", into = "Settings")]
pub struct Policy(Settings);

impl Policy {
    /// Makes a policy of settings.
    ///
    /// # Errors
    /// [`InvalidPolicy`] with every value that makes no sense: its field, what it is and what is allowed.
    pub fn new(settings: Settings) -> Result<Self, InvalidPolicy> {
        let mut faults = Faults::default();
        settings.source.check(&mut faults);
        settings.environments.check(&mut faults);
        settings.rollout.check(&mut faults);
        settings.severities.check(&mut faults);
        settings.minimal_change.check(&mut faults);
        freeze::check(&settings.freeze, &mut faults);
        settings.execution.check(&settings.rollout, &mut faults);
        faults.not_zero("approvals_last", settings.approvals_last);
        faults.not_zero("facts_last", settings.facts_last);
        if let Err(error) = settings.judging.check() {
            faults.add_invalid("judging", &error);
        }
        settings.after_success.check(&mut faults);
        faults.into_result().map(|()| Self(settings))
    }

    /// Returns the open form.
    #[must_use]
    pub fn into_settings(self) -> Settings {
        self.0
    }
}

impl Deref for Policy {
    type Target = Settings;
    fn deref(&self) -> &Settings {
        &self.0
    }
}

impl TryFrom<Settings> for Policy {
    type Error = InvalidPolicy;
    fn try_from(settings: Settings) -> Result<Self, InvalidPolicy> {
        Self::new(settings)
    }
}

impl From<Policy> for Settings {
    fn from(policy: Policy) -> Self {
        policy.0
    }
}
