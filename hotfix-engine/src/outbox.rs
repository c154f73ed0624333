//! The outbox: delivers what the journal committed, apart from everything that matters.
//!
//! No transition reads anything of this. A destination that hangs holds up its own postings and nobody else's.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::ErrorKind;
use hotfix_core::model::Period;
use hotfix_core::port::{
    DeliveryOutcome, IncidentStore, Notifier, Offered, OutboxItem, OutboxState, PostingKind, PostingProbe,
    Settlement,
};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::backends::Backends;

/// How long one delivery may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a posting stays with whoever took it; longer than [`PATIENCE`], so that nobody else sends it meanwhile.
const LEASE: Period = Period::from_secs(45);
/// How often the outbox is looked through without being told to.
const SWEEP: Duration = Duration::from_secs(5);
/// The first wait after a failed delivery, doubled for each further one.
const FIRST_WAIT: Period = Period::from_secs(1);
/// The longest such wait.
const LONGEST_WAIT: Period = Period::from_mins(5);
/// How long a posting that may have arrived is left alone before anybody looks for it: services show what they took
/// with a delay.
const FIRST_LOOK: Period = Period::from_secs(5);
/// After so many tries a posting is given up: some six hours.
const TRIES: u32 = 80;
/// How many postings are under way at the most.
const AT_ONCE: usize = 16;

/// The delivering task of one engine.
#[derive(Debug)]
pub(crate) struct Outbox {
    bell: Arc<Notify>,
    idle: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Outbox {
    pub(crate) fn start(ports: Arc<Backends>) -> Self {
        let bell = Arc::new(Notify::new());
        let (rounds, idle) = watch::channel(0);
        let task = tokio::spawn(deliver_all(ports, Arc::clone(&bell), rounds));
        Self { bell, idle, task }
    }

    /// Returns what wakes the outbox.
    pub(crate) fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.bell)
    }

    /// Waits until a whole round found nothing to deliver.
    pub(crate) async fn flush(&self) {
        let mut idle = self.idle.clone();
        idle.mark_unchanged();
        self.bell.notify_one();
        // Without the task there is nothing to wait for.
        let _ = idle.changed().await;
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn deliver_all(ports: Arc<Backends>, bell: Arc<Notify>, rounds: watch::Sender<u64>) {
    let mut under_way = JoinSet::new();
    loop {
        let room = AT_ONCE.saturating_sub(under_way.len());
        let items = match ports.store.lease_outbox(LEASE, room).await {
            Ok(items) => items,
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read");
                Vec::new()
            }
        };
        if items.is_empty() && under_way.is_empty() {
            rounds.send_modify(|round| *round += 1);
        }
        for item in items {
            let ports = Arc::clone(&ports);
            under_way.spawn(async move { settle(&ports, item).await });
        }
        tokio::select! {
            () = bell.notified() => {}
            Some(_) = under_way.join_next() => {}
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

/// Delivers one posting and records what became of it. A record that cannot be written is made up for by the lease,
/// which runs out and brings the posting back as uncertain.
async fn settle(ports: &Backends, item: OutboxItem) {
    let found = ports.notifiers.iter().find(|notifier| notifier.destination() == item.destination);
    let settlement = match found {
        Some(notifier) => attempt(&**notifier, &item).await,
        None => Settlement::Retry {
            after: FIRST_WAIT,
            cause: format!("this process has no notifier for {}", item.destination),
        },
    };
    if let Settlement::Dead { cause } = &settlement {
        tracing::error!(destination = %item.destination, dedup = %item.posting.dedup, %cause, "a message was given up");
    }
    record(&*ports.store, item.id, settlement).await;
}

async fn record(store: &dyn IncidentStore, id: u64, settlement: Settlement) {
    if let Err(error) = store.settle_outbox(id, settlement).await {
        tracing::warn!(%error, id, "the outcome of a delivery cannot be recorded");
    }
}

async fn attempt(notifier: &dyn Notifier, item: &OutboxItem) -> Settlement {
    let posting = &item.posting;
    let capabilities = notifier.capabilities();
    if posting.kind == PostingKind::Update && capabilities.updates == Offered::No {
        let delivered = posting.root.clone();
        return delivered.map_or_else(
            || Settlement::Dead { cause: "the destination cannot change a message".to_owned() },
            Settlement::Delivered,
        );
    }
    if item.state == OutboxState::Uncertain && capabilities.probe == Offered::Yes {
        match tokio::time::timeout(PATIENCE, notifier.find(posting)).await {
            Ok(Ok(PostingProbe::Found(delivered))) => return Settlement::Delivered(delivered),
            Ok(Ok(PostingProbe::Absent)) => {}
            // Nobody will ever know: twice is better than never.
            Ok(Err(error)) if error.kind() == ErrorKind::Unsupported => {}
            Ok(Err(error)) => return uncertain(item, error.to_string()),
            Err(_) => return uncertain(item, "no answer in time".to_owned()),
        }
    }
    let outcome = tokio::time::timeout(PATIENCE, notifier.deliver(posting)).await;
    let outcome =
        outcome.unwrap_or_else(|_| DeliveryOutcome::Ambiguous { cause: "no answer in time".to_owned() });
    match outcome {
        DeliveryOutcome::Delivered(delivered) => Settlement::Delivered(delivered),
        DeliveryOutcome::Throttled { wait } => Settlement::Retry {
            after: wait.unwrap_or(FIRST_WAIT).max(FIRST_WAIT),
            cause: "throttled".to_owned(),
        },
        DeliveryOutcome::Transient { cause } if item.attempts < TRIES => {
            Settlement::Retry { after: wait_after(item.attempts), cause }
        }
        DeliveryOutcome::Transient { cause } => Settlement::Dead { cause },
        DeliveryOutcome::Ambiguous { cause } => uncertain(item, cause),
        DeliveryOutcome::Permanent { code } => Settlement::Dead { cause: code },
        DeliveryOutcome::RootGone => {
            Settlement::Dead { cause: "the message it belongs to is gone".to_owned() }
        }
    }
}

fn uncertain(item: &OutboxItem, cause: String) -> Settlement {
    if item.attempts < TRIES {
        Settlement::Uncertain { after: wait_after(item.attempts).max(FIRST_LOOK), cause }
    } else {
        Settlement::Dead { cause }
    }
}

fn wait_after(attempts: u32) -> Period {
    let factor = 1_u64 << attempts.min(16);
    Period::from_millis(FIRST_WAIT.as_millis().saturating_mul(factor)).min(LONGEST_WAIT)
}
