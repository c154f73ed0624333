//! Keeping a lease: renewed in time, and known to be stale before anybody else could have taken it.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::{Period, RunId};
use hotfix_core::port::{IncidentStore, Renewed};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::steady;

/// When leases are renewed: at moments that all runs of an engine share, so that a store can write many of them together.
/// Each run asks for its own all the same, and hears its own answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beat {
    start: Instant,
}

/// Between how many such moments each run chooses, so that not all come at once.
const MOMENTS: u32 = 16;

impl Beat {
    pub(crate) fn start() -> Self {
        Self { start: steady::now() }
    }

    /// Returns the last such moment that is not later than after the pause.
    fn next(self, now: Instant, pause: Duration) -> Instant {
        let between = pause / MOMENTS;
        let until = (now + pause).saturating_duration_since(self.start);
        let beyond = until.as_nanos().checked_rem(between.as_nanos()).unwrap_or(0);
        now + pause - Duration::from_nanos(u64::try_from(beyond).unwrap_or(0))
    }
}

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
    pub(crate) fn start(
        store: Arc<dyn IncidentStore>,
        run: RunId,
        epoch: u64,
        ttl: Period,
        beat: Beat,
    ) -> Self {
        let (tell, held) = watch::channel(Held::Since(steady::now()));
        let task = tokio::spawn(renew(store, run, epoch, ttl, beat, tell));
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
    beat: Beat,
    tell: watch::Sender<Held>,
) {
    let pause = (ttl.to_duration() / 4).max(Duration::from_millis(20));
    loop {
        tokio::time::sleep_until(beat.next(steady::now(), pause)).await;
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

#[cfg(test)]
mod tests {
    use hotfix_core::memory::{ManualClock, MemoryStore};
    use hotfix_core::model::{IncidentId, IssueKey, Severity, Timestamp, WorkerName};
    use hotfix_core::port::{NewIncident, NewRun, Opened};

    use super::*;

    const TTL: Period = Period::from_secs(15);

    async fn keeper(store: &Arc<dyn IncidentStore>, name: &str, beat: Beat) -> LeaseKeeper {
        let run = NewRun {
            run: RunId::new(name).unwrap(),
            worker: WorkerName::new("w1").unwrap(),
            claims: vec![format!("production/{name}").parse().unwrap()],
            ttl: TTL,
            epoch_above: 0,
            incident: NewIncident {
                id: IncidentId::new(format!("inc-{name}")).unwrap(),
                issue: IssueKey::new("ENG-1").unwrap(),
                title: "Checkout is down".to_owned(),
                severity: Severity::P1,
            },
            body: "{}".to_owned(),
            timeline: Vec::new(),
            postings: Vec::new(),
        };
        let Opened::Claimed { lease, .. } = store.open_run(run).await.unwrap() else { panic!("it is free") };
        LeaseKeeper::start(Arc::clone(store), lease.run, lease.epoch, TTL, beat)
    }

    /// When the lease was renewed, once from each time to the next.
    async fn renewals(mut keeper: LeaseKeeper) -> Vec<Instant> {
        let mut sent = Vec::new();
        while sent.len() < 4 {
            let Held::Since(at) = *keeper.held.borrow_and_update() else { panic!("nobody else has it") };
            sent.push(at);
            keeper.held.changed().await.unwrap();
        }
        sent
    }

    #[tokio::test(start_paused = true)]
    async fn runs_that_began_at_any_time_renew_together_and_never_later_than_after_a_quarter() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let (store, beat): (Arc<dyn IncidentStore>, _) = (Arc::new(MemoryStore::new(clock)), Beat::start());
        let first = keeper(&store, "a", beat).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        let second = keeper(&store, "b", beat).await;
        let (first, second) = tokio::join!(renewals(first), renewals(second));
        assert_eq!(first[1..], second[1..]);
        let quarter = TTL.to_duration() / 4;
        for pauses in [&first, &second].map(|sent| sent.windows(2).map(|pair| pair[1] - pair[0])) {
            for pause in pauses {
                assert!(pause > quarter * 15 / 16 && pause <= quarter, "{pause:?}");
            }
        }
    }
}
