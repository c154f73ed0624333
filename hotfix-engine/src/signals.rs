//! Signals that others left in the store, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::execute::Run;
use hotfix_core::model::RunId;
use hotfix_core::port::{IncidentStore, SignalEntry};
use tokio::sync::Notify;

use crate::EngineError;

/// How often the store is asked for signals from other processes. Those from this process come at once.
const POLL: Duration = Duration::from_secs(1);

/// The signals of one run.
#[derive(Debug)]
pub(crate) struct Signals {
    store: Arc<dyn IncidentStore>,
    run: RunId,
    next: u64,
    pending: VecDeque<SignalEntry>,
    nudge: Arc<Notify>,
}

impl Signals {
    pub(crate) fn new(store: Arc<dyn IncidentStore>, run: &Run, nudge: Arc<Notify>) -> Self {
        Self { store, run: run.run().clone(), next: run.signals(), pending: VecDeque::new(), nudge }
    }

    /// Waits for the next signal. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<(u64, SignalEntry), EngineError> {
        loop {
            if let Some(entry) = self.pending.pop_front() {
                self.next += 1;
                return Ok((self.next - 1, entry));
            }
            match self.store.signals(&self.run, self.next).await {
                Ok(entries) => self.pending = entries.into(),
                Err(error) => tracing::warn!(run = %self.run, %error, "signals cannot be read"),
            }
            if self.pending.is_empty() {
                // A nudge may come too early or be lost to a cancelled wait; the next poll makes up for it.
                let _ = tokio::time::timeout(POLL, self.nudge.notified()).await;
            }
        }
    }
}
