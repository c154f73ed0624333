//! When production is left alone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::invalid::Faults;
use crate::model::{Severity, Timestamp};

/// A stretch of time in which some severities are not deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeWindow {
    /// The first moment of it.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Why, for whoever is refused.
    pub reason: String,
    /// The severities that wait.
    #[serde(default = "not_urgent")]
    pub holds: BTreeSet<Severity>,
}

impl FreezeWindow {
    /// Returns whether a deploy of that severity has to wait at that moment.
    #[must_use]
    pub fn holds_back(&self, severity: Severity, at: Timestamp) -> bool {
        self.from <= at && at < self.until && self.holds.contains(&severity)
    }
}

fn not_urgent() -> BTreeSet<Severity> {
    BTreeSet::from([Severity::P2, Severity::P3])
}

pub(super) fn check(windows: &[FreezeWindow], faults: &mut Faults) {
    for (index, window) in windows.iter().enumerate() {
        let span = format!("{} to {}", window.from, window.until);
        if window.from >= window.until {
            faults.add(&format!("freeze[{index}]"), &span, "windows that end after they begin");
        }
        if window.holds.is_empty() {
            faults.add(&format!("freeze[{index}].holds"), "empty", "one or more of P0, P1, P2, P3");
        }
        if windows[..index].iter().any(|other| other.from < window.until && window.from < other.until) {
            faults.add(&format!("freeze[{index}]"), &span, "windows that do not overlap an earlier one");
        }
    }
}
