//! The outbox: delivers what the journal committed, apart from everything that matters.
//!
//! No transition reads anything of this. Each destination has a task of its own: one that hangs holds up its own postings
//! and nobody else's.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::ErrorKind;
use hotfix_core::model::Period;
use hotfix_core::port::{
    DeliveryOutcome, IncidentStore, Notifier, Offered, OutboxItem, OutboxState, PostingKind, PostingProbe,
    Settlement,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

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
/// How many postings to one destination are under way at the most.
const AT_ONCE: usize = 16;

/// The deliveries of one engine.
#[derive(Debug)]
pub(crate) struct Outbox {
    bell: Bell,
    idle: Vec<watch::Receiver<u64>>,
    /// One task for each destination, stopped when this is dropped.
    _tasks: JoinSet<()>,
}

/// Wakes every destination of an outbox.
#[derive(Debug, Clone)]
pub(crate) struct Bell(Arc<[Notify]>);

impl Bell {
    pub(crate) fn ring(&self) {
        self.0.iter().for_each(Notify::notify_one);
    }
}

impl Outbox {
    pub(crate) fn start(ports: &Arc<Backends>) -> Self {
        let bell = Bell(ports.notifiers.iter().map(|_| Notify::new()).collect());
        let (mut idle, mut tasks) = (Vec::new(), JoinSet::new());
        for (number, notifier) in ports.notifiers.iter().enumerate() {
            let (rounds, seen) = watch::channel(0);
            idle.push(seen);
            let (store, notifier, bell) = (Arc::clone(&ports.store), Arc::clone(notifier), bell.clone());
            tasks.spawn(async move { deliver_all(&store, &notifier, &bell.0[number], &rounds).await });
        }
        Self { bell, idle, _tasks: tasks }
    }

    /// Returns what wakes the outbox.
    pub(crate) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Waits until each destination had a whole round with nothing to deliver.
    pub(crate) async fn flush(&self) {
        let mut idle = self.idle.clone();
        idle.iter_mut().for_each(watch::Receiver::mark_unchanged);
        self.bell.ring();
        for destination in &mut idle {
            // Without the task there is nothing to wait for.
            let _ = destination.changed().await;
        }
    }
}

async fn deliver_all(
    store: &Arc<dyn IncidentStore>,
    notifier: &Arc<dyn Notifier>,
    bell: &Notify,
    rounds: &watch::Sender<u64>,
) {
    let mut under_way = JoinSet::new();
    loop {
        let room = AT_ONCE.saturating_sub(under_way.len());
        let items = match store.lease_outbox(notifier.destination(), LEASE, room).await {
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
            let (store, notifier) = (Arc::clone(store), Arc::clone(notifier));
            under_way.spawn(async move { settle(&*store, &*notifier, item).await });
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
async fn settle(store: &dyn IncidentStore, notifier: &dyn Notifier, item: OutboxItem) {
    let settlement = attempt(notifier, &item).await;
    if let Settlement::Dead { cause } = &settlement {
        tracing::error!(destination = %item.destination, dedup = %item.posting.dedup, %cause, "a message was given up");
    }
    if let Err(error) = store.settle_outbox(&item, settlement).await {
        tracing::warn!(%error, id = item.id, "the outcome of a delivery cannot be recorded");
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
