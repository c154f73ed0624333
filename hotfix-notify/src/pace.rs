//! Keeps below a service's rate before it has to say so, and away from it after it did.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use hotfix_core::model::Period;
use tokio::time::Instant;

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// The pace of one kind of request to one place.
pub(crate) struct Pace {
    limiter: Option<Limiter>,
    clock: TokioClock,
    held: Mutex<Option<Instant>>,
}

impl Pace {
    /// Admits `burst` requests at once and one more after each `gap`; all of them if the gap is zero.
    pub(crate) fn new(gap: Period, burst: NonZeroU32) -> Self {
        let clock = TokioClock(Instant::now());
        let quota = Quota::with_period(gap.to_duration()).map(|quota| quota.allow_burst(burst));
        let limiter = quota.map(|quota| RateLimiter::direct_with_clock(quota, clock));
        Self { limiter, clock, held: Mutex::new(None) }
    }

    /// Takes a place in the pace, or says how long there is none.
    pub(crate) fn admit(&self) -> Result<(), Period> {
        if let Some(until) = *self.held() {
            let wait = until.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                return Err(rounded_up(wait));
            }
        }
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        limiter.check().map_err(|busy| rounded_up(busy.wait_time_from(self.clock.now())))
    }

    /// Admits nothing for a while, because the service said so.
    pub(crate) fn hold(&self, wait: Period) {
        let until = Instant::now() + wait.to_duration();
        let mut held = self.held();
        *held = Some(held.map_or(until, |other| other.max(until)));
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("held", &self.held).finish_non_exhaustive()
    }
}

fn rounded_up(wait: Duration) -> Period {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Period::from_millis(millis.saturating_add(1))
}

/// Tokio's clock, so that tests can pause it.
#[derive(Clone, Copy)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    #[tokio::test(start_paused = true)]
    async fn one_a_second_is_one_a_second() {
        let pace = Pace::new(Period::from_secs(1), ONE);
        assert_eq!(pace.admit(), Ok(()));
        assert_eq!(pace.admit(), Err(Period::from_millis(1001)));
        tokio::time::advance(Duration::from_millis(600)).await;
        assert_eq!(pace.admit(), Err(Period::from_millis(401)));
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(pace.admit(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_is_earned_back() {
        let pace = Pace::new(Period::from_secs(2), NonZeroU32::new(3).unwrap());
        assert_eq!([pace.admit(), pace.admit(), pace.admit()], [Ok(()); 3]);
        assert_eq!(pace.admit(), Err(Period::from_millis(2001)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_asked_for_quiet_gets_it() {
        let pace = Pace::new(Period::from_millis(0), ONE);
        assert_eq!([pace.admit(), pace.admit()], [Ok(()); 2]);
        pace.hold(Period::from_secs(30));
        pace.hold(Period::from_secs(5));
        assert_eq!(pace.admit(), Err(Period::from_millis(30_001)));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(pace.admit(), Ok(()));
    }
}
