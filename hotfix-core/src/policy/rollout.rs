//! How workloads are changed: steps, waits, deadlines and the time kept back for a rollback.

use serde::{Deserialize, Serialize};

use super::invalid::Faults;
use crate::model::Period;

/// Steps, waits and deadlines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutPolicy {
    /// The shares of traffic of a canary, in percent, each judged before the next.
    pub canary_steps: Vec<u8>,
    /// How many instances a rolling rollout adds at once.
    pub rolling_batch: u16,
    /// How long a release stays ready and faultless on staging before production is touched; `0s`: readiness is
    /// enough.
    pub staging_soak: Period,
    /// How long the second side of a blue-green rollout stays ready and faultless before the switch; `0s`:
    /// readiness is enough.
    pub preview_soak: Period,
    /// How long a release that was put back stays ready and faultless before the sick one is retired.
    pub rollback_soak: Period,
    /// How long a slot may take to become ready.
    pub ready_deadline: Period,
    /// How long one change of a workload or of references may take, all attempts together.
    pub step_deadline: Period,
    /// How long the judge may take for one share of traffic.
    pub verify_deadline: Period,
    /// How long one undo step may take, all attempts together.
    pub undo_deadline: Period,
    /// The time reserved for a whole rollback. Forward steps cannot spend it.
    pub rollback_budget: Period,
}

impl Default for RolloutPolicy {
    fn default() -> Self {
        Self {
            canary_steps: vec![10, 25, 50, 75, 100],
            rolling_batch: 1,
            staging_soak: Period::from_secs(30),
            preview_soak: Period::from_secs(30),
            rollback_soak: Period::from_secs(10),
            ready_deadline: Period::from_mins(5),
            step_deadline: Period::from_mins(2),
            verify_deadline: Period::from_mins(30),
            undo_deadline: Period::from_mins(5),
            rollback_budget: Period::from_mins(15),
        }
    }
}

/// Production, staging and the references.
const MOST_UNDO_STEPS: u64 = 3;

impl RolloutPolicy {
    pub(super) fn check(&self, faults: &mut Faults) {
        let steps = &self.canary_steps;
        let rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || steps.first().is_none_or(|first| *first == 0) || steps.last() != Some(&100) {
            faults.add(
                "rollout.canary_steps",
                format!("{steps:?}"),
                "rising percentages from 1 on that end with 100",
            );
        }
        if self.rolling_batch == 0 {
            faults.add("rollout.rolling_batch", 0, "1 or more");
        }
        faults.not_zero("rollout.rollback_soak", self.rollback_soak);
        faults.not_zero("rollout.ready_deadline", self.ready_deadline);
        faults.not_zero("rollout.step_deadline", self.step_deadline);
        faults.not_zero("rollout.verify_deadline", self.verify_deadline);
        faults.not_zero("rollout.undo_deadline", self.undo_deadline);
        if self.rollback_budget.as_millis() < self.undo_deadline.as_millis().saturating_mul(MOST_UNDO_STEPS) {
            faults.add(
                "rollout.rollback_budget",
                self.rollback_budget,
                "three times rollout.undo_deadline or more",
            );
        }
    }
}
