//! How far the watch of each kind of a namespace is, and what it costs to have failed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long the first watch rests that is opened after one that ended; each that ends soon doubles it.
const FIRST_REST: Duration = Duration::from_millis(200);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// A watch that went on for longer has not ended soon.
const SOON: Duration = Duration::from_secs(60);

/// The watches of a namespace, by kind. That of one kind may end while the others go on.
#[derive(Debug, Clone, Default)]
pub(super) struct Health(BTreeMap<&'static str, KindHealth>);

#[derive(Debug, Clone, Default)]
struct KindHealth {
    is_listed: bool,
    /// How often its watch ended.
    ends: u32,
    /// The same without one in between that went on for a while.
    ends_in_a_row: u32,
    /// Why it ended the last time.
    cause: String,
    /// Until when it rests.
    rests: Option<Instant>,
}

impl Health {
    /// Takes in that everything of a kind was listed, and returns whether that is news.
    pub(super) fn listed(&mut self, kind: &'static str) -> bool {
        !std::mem::replace(&mut self.0.entry(kind).or_default().is_listed, true)
    }

    /// Takes in that the watch of a kind ended, after it went on for so long.
    pub(super) fn ended(&mut self, kind: &'static str, cause: String, lasted: Duration) {
        let health = self.0.entry(kind).or_default();
        let before = if lasted > SOON { 0 } else { health.ends_in_a_row };
        let rest = FIRST_REST.saturating_mul(1 << before.min(8)).min(LONGEST_REST);
        *health = KindHealth {
            is_listed: false,
            ends: health.ends + 1,
            ends_in_a_row: before + 1,
            cause,
            rests: Some(Instant::now() + rest),
        };
    }

    pub(super) fn is_listed(&self, kind: &str) -> bool {
        self.0.get(kind).is_some_and(|health| health.is_listed)
    }

    /// Returns how often the watch of a kind ended.
    pub(super) fn ends(&self, kind: &str) -> u32 {
        self.0.get(kind).map_or(0, |health| health.ends)
    }

    /// Returns until when a kind is not to be watched again.
    pub(super) fn rests(&self, kind: &str) -> Option<Instant> {
        self.0.get(kind)?.rests
    }

    /// Returns why the watch of a kind ended, if it did since it had ended so often.
    pub(super) fn ended_since(&self, kind: &str, ends: u32) -> Option<&str> {
        self.0.get(kind).filter(|health| health.ends > ends).map(|health| health.cause.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_watch_that_ends_soon_rests_longer() {
        let mut health = Health::default();
        let mut rest = |lasted| {
            health.ended("Pod", "forbidden".to_owned(), lasted);
            health.rests("Pod").unwrap() - Instant::now()
        };
        let rests: Vec<u128> = (0..7).map(|_| rest(Duration::from_secs(1)).as_millis()).collect();
        assert_eq!(rests, [200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(rest(Duration::from_secs(61)).as_millis(), 200);
        assert_eq!(health.ended_since("Pod", 7), Some("forbidden"));
        assert_eq!((health.ended_since("Pod", 8), health.ended_since("Deployment", 0)), (None, None));
    }
}
