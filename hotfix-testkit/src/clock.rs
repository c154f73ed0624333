//! Time for tests: a clock that is set by hand, and one that follows tokio's time, paused or not.

use hotfix_core::model::{Period, Timestamp};
use hotfix_core::port::Clock;
use tokio::time::Instant;

pub use hotfix_core::memory::{ManualClock, SequentialIds};

/// A clock that follows tokio's time, so that timers and timestamps agree.
///
/// With paused time (`#[tokio::test(start_paused = true)]`) an hour of deadlines passes in no time and in the same way
/// every time. [`SimulatedTime::set`] makes the clock jump without any timer noticing, as a wrong clock does.
///
/// ```
/// use hotfix_core::model::Period;
/// use hotfix_core::port::Clock;
/// use hotfix_testkit::clock::SimulatedTime;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let time = SimulatedTime::start();
/// let begin = time.now();
/// tokio::time::sleep(Period::from_hours(2).to_duration()).await;
/// assert_eq!((time.now() - begin).num_minutes(), 120);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct SimulatedTime {
    /// What the clock shows, without what passed since `origin`.
    base: ManualClock,
    origin: Instant,
}

impl SimulatedTime {
    /// Starts at the moment that [`ManualClock`] starts at.
    #[must_use]
    pub fn start() -> Self {
        Self { base: ManualClock::default(), origin: Instant::now() }
    }

    /// Lets time pass for timers and timestamps alike. Takes paused tokio time.
    pub async fn pass(&self, period: Period) {
        tokio::time::advance(period.to_duration()).await;
    }

    /// Sets the clock, backward too. Timers do not notice. Clones jump with it.
    pub fn set(&self, now: Timestamp) {
        self.base.set(now - self.elapsed().to_delta());
    }

    fn elapsed(&self) -> Period {
        let millis = self.origin.elapsed().as_millis();
        Period::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

impl Clock for SimulatedTime {
    fn now(&self) -> Timestamp {
        self.base.now() + self.elapsed().to_delta()
    }
}
