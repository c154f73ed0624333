//! `Silencer`: keeps alerts about a workload quiet while it is changed as planned.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::{RunId, Target, Timestamp};

/// Silences alerts for a run, and lets them be heard again.
///
/// # Contract
/// Called only by the outbox, never on the path of a deploy or a rollback: a silence that cannot be made or lifted
/// changes nothing about the run. The outbox keeps the order within a run and calls again after a failure, also from
/// another process. A silencer does not retry by itself.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Silencer: Debug + Send + Sync {
    /// Returns its name in the outbox, such as `alertmanager`. Stable across restarts, free of secrets, and unlike that
    /// of every notifier.
    fn destination(&self) -> &str;

    /// Silences the alerts about the target, from now until `silence.until` at the latest.
    ///
    /// *Errors*: any failure to reach the service; what has to be silenced may be silent.
    /// *Idempotency*: the run is the key. While its silence lasts nothing is changed.
    /// *Cancellation*: as an error.
    async fn silence(&self, silence: &Silence) -> Result<()>;

    /// Lets the alerts be heard again, whatever process silenced them, and however often.
    ///
    /// *Errors*: any failure to reach the service; some of it may still be silent, until `silence.until`.
    /// *Idempotency*: a run without a silence has none afterwards.
    /// *Cancellation*: as an error.
    async fn lift(&self, silence: &Silence) -> Result<()>;
}

/// What is to be silent, for whom and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The run that changes the target as planned.
    pub run: RunId,
    /// The workload that alerts are about.
    pub target: Target,
    /// When the silence ends by itself: the plan allows no more time for what is silenced.
    pub until: Timestamp,
}

/// What a posting to a [`Silencer`] asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silencing {
    /// [`Silencer::silence`].
    Begin(Silence),
    /// [`Silencer::lift`].
    End(Silence),
}
