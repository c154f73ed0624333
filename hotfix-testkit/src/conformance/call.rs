//! Calls with rising stamps, as an engine makes them.

use std::time::{Duration, SystemTime};

use hotfix_core::model::{IdempotencyKey, Stamp, Timestamp};
use hotfix_core::port::Call;

/// How far ahead the deadline of a call lies.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes calls in an epoch of its own.
#[derive(Debug)]
pub(super) struct Caller {
    stamp: Stamp,
}

impl Caller {
    /// Begins an epoch above a fence.
    pub(super) const fn above(fence: Stamp) -> Self {
        Self { stamp: Stamp::new(fence.epoch + 1, 0) }
    }

    pub(super) const fn stamp(&mut self) -> Stamp {
        self.stamp = self.stamp.next();
        self.stamp
    }

    /// Makes a call with the next stamp.
    pub(super) fn call(&mut self, key: &str) -> Call {
        let stamp = self.stamp();
        call(key, stamp)
    }
}

/// Makes a call.
pub(super) fn call(key: &str, stamp: Stamp) -> Call {
    Call { key: IdempotencyKey::new(key).expect("keys of cases are valid"), stamp, deadline: soon() }
}

#[expect(
    clippy::disallowed_methods,
    reason = "deadlines of calls are compared with the time of real backends"
)]
fn soon() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since_epoch = now.unwrap_or_default() + PATIENCE;
    let millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_timestamp_millis(millis).unwrap_or(Timestamp::MAX_UTC)
}
