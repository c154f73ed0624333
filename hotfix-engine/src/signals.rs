//! Signals that others left in the store: asked for once for all the runs that are driven here, told to each in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hotfix_core::model::RunId;
use hotfix_core::port::{Heard, IncidentStore, SignalEntry};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::driven::DrivenRuns;

/// How often the store is asked for signals from other processes. Those from this process come at once.
const POLL: Duration = Duration::from_secs(1);
/// How long an answer may take. Asking again costs nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// The signals of one run, as its driver takes them.
#[derive(Debug)]
pub(crate) struct Mailbox {
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Debug)]
struct Queue {
    /// How many were taken.
    taken: u64,
    waiting: VecDeque<SignalEntry>,
}

impl Mailbox {
    /// The mailbox of a run whose first signals are journaled.
    pub(crate) fn after(taken: u64) -> Self {
        let queue = Queue { taken, waiting: VecDeque::new() };
        Self { queue: Mutex::new(queue), arrived: Notify::new() }
    }

    /// Waits for the next signal, and returns its number with it. Dropping the future loses nothing.
    pub(crate) async fn next(&self) -> (u64, SignalEntry) {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Option<(u64, SignalEntry)> {
        let mut queue = self.queue();
        let entry = queue.waiting.pop_front()?;
        queue.taken += 1;
        Some((queue.taken - 1, entry))
    }

    /// Returns how many signals have come, those included that were not taken yet.
    fn known(&self) -> u64 {
        let queue = self.queue();
        queue.taken + queue.waiting.len() as u64
    }

    fn put(&self, entry: SignalEntry) {
        self.queue().waiting.push_back(entry);
        self.arrived.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fills the mailboxes of the runs that are driven here, until it is dropped.
#[derive(Debug)]
pub(crate) struct Poller {
    bell: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Poller {
    pub(crate) fn start(store: Arc<dyn IncidentStore>, driven: DrivenRuns) -> Self {
        let bell = Arc::new(Notify::new());
        let task = tokio::spawn(poll(store, driven, Arc::clone(&bell)));
        Self { bell, task }
    }

    /// Has the store asked at once: a run is driven from now on, or somebody here left a signal.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn poll(store: Arc<dyn IncidentStore>, driven: DrivenRuns, bell: Arc<Notify>) {
    loop {
        let mailboxes = driven.mailboxes();
        if mailboxes.is_empty() {
            bell.notified().await;
            continue;
        }
        poll_once(&*store, &mailboxes).await;
        drop(mailboxes);
        // Whoever rings too early is made up for by the next poll.
        let _ = tokio::time::timeout(POLL, bell.notified()).await;
    }
}

/// Asks for what is new. Only this fills mailboxes, so what is known of them stays so until the answer is there. That of
/// a driver that is gone meanwhile is filled in vain.
async fn poll_once(store: &dyn IncidentStore, mailboxes: &BTreeMap<RunId, Arc<Mailbox>>) {
    let known: Vec<Heard> =
        mailboxes.iter().map(|(run, mailbox)| Heard { run: run.clone(), signals: mailbox.known() }).collect();
    match tokio::time::timeout(PATIENCE, store.signals(&known)).await {
        Ok(Ok(left)) => {
            for (run, entry) in left {
                if let Some(mailbox) = mailboxes.get(&run) {
                    mailbox.put(entry);
                }
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, "signals cannot be read"),
        Err(_) => tracing::warn!("signals cannot be read: no answer in {PATIENCE:?}"),
    }
}
