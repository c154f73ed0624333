//! How long an operation may take, and the way to give it up.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::Timestamp;
use hotfix_core::port::Clock;

use crate::program::StopToken;

/// The time an operation has left. The clock may jump, so no single program ever gets more than `longest`.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    clock: Arc<dyn Clock>,
    deadline: Option<Timestamp>,
    longest: Duration,
    stop: StopToken,
}

impl Limit {
    pub(crate) fn new(clock: Arc<dyn Clock>, deadline: Option<Timestamp>, longest: Duration) -> Self {
        Self { clock, deadline, longest, stop: StopToken::default() }
    }

    /// Returns the time that is left, zero when there is none.
    pub(crate) fn remaining(&self) -> Duration {
        let left = self.deadline.map(|deadline| (deadline - self.clock.now()).to_std().unwrap_or_default());
        left.map_or(self.longest, |left| left.min(self.longest))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn stop_token(&self) -> &StopToken {
        &self.stop
    }
}
