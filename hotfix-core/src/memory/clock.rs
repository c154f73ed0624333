//! Time that stands still until a test moves it, and ids that a test can foresee.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::lock;
use crate::model::{Period, Timestamp};
use crate::port::{Clock, IdSource};

/// A clock that only moves when it is told to, in either direction.
///
/// ```
/// use hotfix_core::memory::ManualClock;
/// use hotfix_core::model::Period;
/// use hotfix_core::port::Clock;
///
/// let clock = ManualClock::at("2026-11-01T12:00:00Z".parse()?);
/// clock.advance(Period::from_secs(90));
/// assert_eq!(Ok(clock.now()), "2026-11-01T12:01:30Z".parse());
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// Builds a clock that shows the time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Period) {
        *lock(&self.0) += by.to_delta();
    }

    /// Sets the clock, backward too.
    pub fn set(&self, now: Timestamp) {
        *lock(&self.0) = now;
    }
}

impl Default for ManualClock {
    /// Starts at a fixed moment of no meaning, 2026-01-01 at midnight.
    fn default() -> Self {
        const START_OF_2026: i64 = 1_767_225_600;
        Self::at(chrono::DateTime::from_timestamp(START_OF_2026, 0).expect("a constant within range"))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.0)
    }
}

/// Ids that count from 1: `run-1`, `run-2`, `inc-3`. Unique within one value and its clones only, so for tests.
#[derive(Debug, Clone, Default)]
pub struct SequentialIds(Arc<AtomicU64>);

impl IdSource for SequentialIds {
    fn fresh(&self, prefix: &str) -> String {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{prefix}-{number}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_time_and_the_count() {
        let clock = ManualClock::default();
        let other = clock.clone();
        let start = clock.now();
        assert_eq!(Ok(start), "2026-01-01T00:00:00Z".parse());
        other.advance(Period::from_millis(1500));
        assert_eq!((clock.now() - start).num_milliseconds(), 1500);
        other.set(start);
        assert_eq!(clock.now(), start);

        let ids = SequentialIds::default();
        assert_eq!(ids.fresh("run"), "run-1");
        assert_eq!(ids.clone().fresh("inc"), "inc-2");
        assert_eq!(ids.fresh("run"), "run-3");
    }
}
