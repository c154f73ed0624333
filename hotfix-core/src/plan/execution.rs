//! How a plan is carried out: the numbers that the machine and the driver go by, frozen in the plan.

use serde::{Deserialize, Serialize};

use crate::model::Period;

/// Attempts, delays and leases. Part of the plan, so that a run keeps its own when the policy changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Execution {
    /// How often an effect is tried at the most, as long as it is surely not applied.
    pub attempts: u8,
    /// How long one attempt may take before its outcome counts as unknown.
    pub attempt_deadline: Period,
    /// The wait before the second attempt; doubled for each further one.
    pub backoff: Period,
    /// The longest wait between attempts.
    pub backoff_limit: Period,
    /// How often a quarantined target is tried again.
    pub quarantine_retry: Period,
    /// How long a lease lasts without renewal.
    pub lease: Period,
    /// The time between two looks at the metrics.
    pub look: Period,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            attempts: 5,
            attempt_deadline: Period::from_secs(30),
            backoff: Period::from_secs(1),
            backoff_limit: Period::from_secs(30),
            quarantine_retry: Period::from_secs(30),
            lease: Period::from_secs(15),
            look: Period::from_secs(15),
        }
    }
}
