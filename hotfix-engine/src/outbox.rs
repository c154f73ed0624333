//! The outbox: delivers what the journal committed, apart from everything that matters.
//!
//! No transition reads anything of this. Each destination has a task of its own: one that hangs holds up its own postings
//! and nobody else's.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::Period;
use hotfix_core::port::{IncidentStore, OutboxItem, Settlement};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::backends::Backends;
use crate::courier::Courier;

/// How long a posting stays with whoever took it; longer than a delivery may take, so that nobody else sends it meanwhile.
const LEASE: Period = Period::from_secs(45);
/// How often the outbox is looked through without being told to.
const SWEEP: Duration = Duration::from_secs(5);
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
        let couriers = ports.couriers();
        let bell = Bell(couriers.iter().map(|_| Notify::new()).collect());
        let (mut idle, mut tasks) = (Vec::new(), JoinSet::new());
        for (number, courier) in couriers.into_iter().enumerate() {
            let (rounds, seen) = watch::channel(0);
            idle.push(seen);
            let (store, bell) = (Arc::clone(&ports.store), bell.clone());
            tasks.spawn(async move { deliver_all(&store, &courier, &bell.0[number], &rounds).await });
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
    courier: &Courier,
    bell: &Notify,
    rounds: &watch::Sender<u64>,
) {
    let mut under_way = JoinSet::new();
    loop {
        let room = AT_ONCE.saturating_sub(under_way.len());
        let items = match store.lease_outbox(courier.destination(), LEASE, room).await {
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
            let (store, courier) = (Arc::clone(store), courier.clone());
            under_way.spawn(async move { settle(&*store, &courier, item).await });
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
async fn settle(store: &dyn IncidentStore, courier: &Courier, item: OutboxItem) {
    let settlement = courier.attempt(&item).await;
    if let Settlement::Dead { cause } = &settlement {
        tracing::error!(destination = %item.destination, dedup = %item.posting.dedup, %cause, "a message was given up");
    }
    if let Err(error) = store.settle_outbox(&item, settlement).await {
        tracing::warn!(%error, id = item.id, "the outcome of a delivery cannot be recorded");
    }
}
