//! How a plan is carried out: the numbers that the machine and the driver go by, frozen in the plan.

use serde::{Deserialize, Serialize};

use super::RolloutPolicy;
use super::invalid::Faults;
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
    /// The time between two looks at the metrics, where these have new values as often.
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

impl Execution {
    pub(super) fn check(&self, rollout: &RolloutPolicy, faults: &mut Faults) {
        if self.attempts == 0 {
            faults.add("execution.attempts", 0, "1 or more");
        }
        faults.not_zero("execution.attempt_deadline", self.attempt_deadline);
        faults.not_zero("execution.backoff", self.backoff);
        faults.not_zero("execution.quarantine_retry", self.quarantine_retry);
        faults.not_zero("execution.lease", self.lease);
        faults.not_zero("execution.look", self.look);
        if self.attempt_deadline > rollout.step_deadline.min(rollout.undo_deadline) {
            let allowed = "periods up to rollout.step_deadline and rollout.undo_deadline";
            faults.add("execution.attempt_deadline", self.attempt_deadline, allowed);
        }
        if self.backoff_limit < self.backoff {
            faults.add("execution.backoff_limit", self.backoff_limit, "periods from execution.backoff on");
        }
        if self.look >= rollout.verify_deadline {
            faults.add("execution.look", self.look, "periods below rollout.verify_deadline");
        }
    }
}
