//! The real clock and real ids: the one place that reads either.

use hotfix_core::model::Timestamp;
use hotfix_core::port::{Clock, IdSource};

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
        chrono::Utc::now()
    }
}

/// Ids by time and randomness (UUID version 7), so that they sort by age.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    fn fresh(&self, prefix: &str) -> String {
        #[expect(clippy::disallowed_methods, reason = "this is the id source that everything else takes")]
        let id = uuid::Uuid::now_v7();
        format!("{prefix}-{}", id.simple())
    }
}
