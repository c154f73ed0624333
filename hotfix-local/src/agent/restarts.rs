//! When an exited instance is started again, and when its exits are a crash loop.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::manifest::RestartRules;

/// The recent exits of one replica.
#[derive(Debug)]
pub(crate) struct Restarts {
    rules: RestartRules,
    exits: VecDeque<Instant>,
    /// All exits so far.
    pub(crate) total: u32,
}

/// What follows from an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) pause: Duration,
    pub(crate) crash_loop: bool,
}

impl Restarts {
    pub(crate) fn new(rules: RestartRules) -> Self {
        Self { rules, exits: VecDeque::new(), total: 0 }
    }

    /// Records an exit: the pause doubles with every exit in the window.
    pub(crate) fn record(&mut self, now: Instant) -> Next {
        let window = self.rules.crash_loop_within.to_duration();
        self.exits.retain(|exit| now.duration_since(*exit) < window);
        self.exits.push_back(now);
        self.total = self.total.saturating_add(1);
        let recent = u32::try_from(self.exits.len()).unwrap_or(u32::MAX);
        let doubled = 2_u32.saturating_pow(recent - 1);
        let pause = self.rules.backoff.to_duration().saturating_mul(doubled);
        Next {
            pause: pause.min(self.rules.backoff_max.to_duration()),
            crash_loop: recent >= self.rules.crash_loop_exits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    #[tokio::test(start_paused = true)]
    async fn exits_in_the_window_double_the_pause_until_they_are_a_crash_loop() {
        let text = "argv=['x']\nhealth={path='/'}\nrestart={backoff='100ms',backoff_max='300ms',crash_loop_within='10s'}";
        let mut restarts = Restarts::new(Manifest::parse(text).expect("valid").restart);
        let now = Instant::now();
        let next = |restarts: &mut Restarts, seconds: u64| {
            let next = restarts.record(now + Duration::from_secs(seconds));
            (next.pause.as_millis(), next.crash_loop)
        };
        assert_eq!(next(&mut restarts, 0), (100, false));
        assert_eq!(next(&mut restarts, 1), (200, false));
        assert_eq!(next(&mut restarts, 2), (300, true));
        assert_eq!(next(&mut restarts, 60), (100, false), "the window has passed");
        assert_eq!(restarts.total, 4);
    }
}
