//! A clock for one driver that wall-clock jumps do not reach.

use std::sync::Arc;

use hotfix_core::model::Timestamp;
use hotfix_core::port::Clock;
use tokio::time::Instant;

/// Wall time at the start of the driver plus the time that has really passed since.
///
/// Deadlines are stored as wall time, so that another process can read them. Within one process they are compared with
/// this clock: setting the system clock neither ends a gate early nor keeps it open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steady {
    wall: Timestamp,
    start: Instant,
}

impl Steady {
    pub(crate) fn start(clock: &Arc<dyn Clock>) -> Self {
        Self { wall: clock.now(), start: now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let passed = now().duration_since(self.start);
        self.wall + chrono::TimeDelta::from_std(passed).unwrap_or(chrono::TimeDelta::MAX)
    }

    /// Returns the instant at which this clock shows `at`.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.start + (at - self.wall).to_std().unwrap_or_default()
    }
}

/// The only instant this crate uses: tokio's, which a test can pause.
pub(crate) fn now() -> Instant {
    Instant::now()
}
