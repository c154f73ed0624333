//! How long a container that ended waits for its next start.

use std::time::Duration;

/// A run of that many times the longest wait forgives what was before.
const FORGIVEN_AFTER: u32 = 2;

/// A wait that doubles.
#[derive(Debug, Clone, Copy)]
pub(super) struct BackOff {
    first: Duration,
    longest: Duration,
    next: Option<Duration>,
}

impl BackOff {
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: None }
    }

    /// Returns how long to wait after a run of that length. The first start again is at once.
    pub(super) fn after(&mut self, ran: Duration) -> Option<Duration> {
        if ran >= self.longest * FORGIVEN_AFTER {
            self.next = None;
        }
        let wait = self.next;
        self.next = Some(wait.map_or(self.first, |wait| (wait * 2).min(self.longest)));
        wait
    }

    /// Returns how long to wait when there is no first try for free.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next.unwrap_or(self.first);
        self.next = Some((wait * 2).min(self.longest));
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_a_long_run_forgives() {
        let second = Duration::from_secs;
        let mut back_off = BackOff::new(second(10), second(35));
        let waits: Vec<_> = (0..5).map(|_| back_off.after(second(1))).collect();
        assert_eq!(waits, [None, Some(second(10)), Some(second(20)), Some(second(35)), Some(second(35))]);
        assert_eq!(back_off.after(second(70)), None);
        assert_eq!(back_off.after(second(1)), Some(second(10)));
    }
}
