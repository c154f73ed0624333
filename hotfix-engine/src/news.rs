//! What a driver tells those who follow its run in the same process: how many entries the journal has, and what happened
//! between two of them that is not worth an entry.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use hotfix_core::communicate::{Progress, ProgressKind};
use hotfix_core::model::Timestamp;
use hotfix_core::plan::StepId;
use tokio::sync::watch;

/// How far a run is.
#[derive(Debug)]
pub(crate) struct News {
    /// How many entries its journal has.
    pub(crate) entries: u64,
    /// What is not journaled, in order.
    passing: Vec<Ready>,
}

/// An instance that became ready. A run keeps all of them for those who begin to follow it later, so it is small.
#[derive(Debug, Clone, Copy)]
struct Ready {
    /// How many entries there were then.
    entries: u64,
    at: Timestamp,
    step: StepId,
    instance: u16,
    of: u16,
}

impl News {
    pub(crate) const fn new(entries: u64) -> Self {
        Self { entries, passing: Vec::new() }
    }

    /// Returns what is not journaled, from the `next`th on, if it comes before the journal entry with that number.
    pub(crate) fn before(&self, next: usize, entry: u64) -> Option<Progress> {
        let ready = self.passing.get(next).filter(|ready| ready.entries <= entry)?;
        let Ready { entries, at, step, instance, of } = *ready;
        let kind = ProgressKind::InstanceReady { step, instance, of };
        Some(Progress { seq: entries.saturating_sub(1), at, kind })
    }

    /// Returns how much there was before a journal entry that is not journaled.
    pub(crate) fn count_before(&self, entry: u64) -> usize {
        self.passing.iter().take_while(|ready| ready.entries <= entry).count()
    }
}

/// Tells of the instances of one rollout as they become ready.
#[derive(Debug, Clone)]
pub(crate) struct Announcer {
    pub(crate) news: Arc<watch::Sender<News>>,
    pub(crate) step: StepId,
    /// How many are staged in the end; `None` when they were there before.
    pub(crate) staged: Option<NonZeroU16>,
    /// How many of this rollout were told of, by this gate and those before it.
    pub(crate) told: Arc<AtomicU16>,
}

impl Announcer {
    /// Takes in how many instances are wanted and how many are ready now.
    pub(crate) fn count(&self, at: Timestamp, replicas: u16, ready: u16) {
        let Some(staged) = self.staged else { return };
        // Who scales the workload meanwhile has more of them started.
        let of = staged.get().max(replicas);
        let ready = ready.min(of);
        let told = self.told.fetch_max(ready, Ordering::Relaxed);
        if told >= ready {
            return;
        }
        self.news.send_modify(|news| {
            let entries = news.entries;
            let new = (told + 1..=ready).map(|instance| Ready { entries, at, step: self.step, instance, of });
            news.passing.extend(new);
        });
    }
}
