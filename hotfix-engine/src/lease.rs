//! Keeping a lease: renewed in time, and known to be stale before anybody else could have taken it.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::{Period, RunId};
use hotfix_core::port::{IncidentStore, Renewed};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::steady;

/// What the keeper knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// The lease was renewed by a request sent at this instant.
    Since(Instant),
    /// Somebody else has it.
    Lost,
}

/// Renews the lease of a run until it is lost or the keeper is dropped.
#[derive(Debug)]
pub(crate) struct LeaseKeeper {
    held: watch::Receiver<Held>,
    ttl: Duration,
    task: tokio::task::JoinHandle<()>,
}

impl LeaseKeeper {
    pub(crate) fn start(store: Arc<dyn IncidentStore>, run: RunId, epoch: u64, ttl: Period) -> Self {
        let (tell, held) = watch::channel(Held::Since(steady::now()));
        let task = tokio::spawn(renew(store, run, epoch, ttl, tell));
        Self { held, ttl: ttl.to_duration(), task }
    }

    /// Returns whether an effect may be started now: two thirds of the lease at the most have passed since the last
    /// renewal was *sent*. Safety does not rest on this, the fence does; it only avoids needless conflicts.
    pub(crate) fn is_fresh(&self) -> bool {
        match *self.held.borrow() {
            Held::Since(sent) => steady::now().duration_since(sent) < self.ttl * 2 / 3,
            Held::Lost => false,
        }
    }

    /// Waits until the lease is lost.
    pub(crate) async fn lost(&mut self) {
        if self.held.wait_for(|held| *held == Held::Lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until an effect may be started, or the lease is lost.
    pub(crate) async fn fresh(&mut self) {
        while !self.is_fresh() && *self.held.borrow_and_update() != Held::Lost {
            if self.held.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn renew(
    store: Arc<dyn IncidentStore>,
    run: RunId,
    epoch: u64,
    ttl: Period,
    tell: watch::Sender<Held>,
) {
    let pause = (ttl.to_duration() / 4).max(Duration::from_millis(20));
    loop {
        tokio::time::sleep(pause).await;
        let sent = steady::now();
        match store.renew(&run, epoch, ttl).await {
            Ok(Renewed::Until(_)) => {
                tell.send_replace(Held::Since(sent));
            }
            Ok(Renewed::Lost { epoch: current }) => {
                tracing::warn!(%run, epoch, current, "the lease is lost");
                tell.send_replace(Held::Lost);
                return;
            }
            Err(error) => tracing::warn!(%run, %error, "the lease could not be renewed"),
        }
    }
}
