//! The very first release of a target, for which there is nothing to compare with and nothing to go back to.

use std::num::NonZeroU16;
use std::time::Duration;

use futures_util::StreamExt;
use hotfix_core::model::{
    Fault, IdempotencyKey, Precondition, Release, SlotName, Stamp, Target, Verb, Weights, Workload,
};
use hotfix_core::port::{Call, Deployer, Reply, WorkloadChange};
use hotfix_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

use crate::deployer::LocalDeployer;

const OPERATION: &str = "deployer.install";

impl LocalDeployer {
    /// Puts the first release live on a target where nothing is live yet, and waits until it takes the traffic.
    ///
    /// This is for setting a host up. Everything after it is a hotfix and goes through a plan.
    ///
    /// A release that is live already is fine. Dropping the future can leave the release staged and without traffic;
    /// installing it again goes on from there.
    ///
    /// # Errors
    /// `AlreadyExists` when another release is live; `Unavailable` when the release cannot be started or does not get
    /// ready; `Timeout` after `within`; `Conflict` when somebody else changes the target meanwhile; otherwise as
    /// [`Deployer::observe`].
    pub async fn install(
        &self,
        target: &Target,
        release: &Release,
        replicas: NonZeroU16,
        within: Duration,
    ) -> Result<()> {
        let deadline = Instant::now() + within;
        let late = |_| {
            Error::new(ErrorKind::Timeout, OPERATION, "the release is not live in time")
                .with("target", target)
        };
        timeout_at(deadline, self.bring_up(target, release, replicas, deadline)).await.map_err(late)?
    }

    async fn bring_up(
        &self,
        target: &Target,
        release: &Release,
        replicas: NonZeroU16,
        deadline: Instant,
    ) -> Result<()> {
        let workload = self.observe(target).await?;
        let Some(slot) = free_slot(&workload, release)? else {
            return Ok(());
        };
        let mut installing = Installing { deployer: self, target, release, stamp: workload.stamp, deadline };
        let stage = Verb::Stage { slot: slot.clone(), release: release.clone(), replicas };
        installing.apply(stage).await?;
        installing.ready(&slot).await?;
        installing.apply(Verb::Shift { weights: Weights::all(slot.clone()) }).await?;
        installing.apply(Verb::Promote { slot }).await
    }
}

/// The slot for the first release; nothing when it is live already.
fn free_slot(workload: &Workload, release: &Release) -> Result<Option<SlotName>> {
    match workload.live_state() {
        Some(live) if live.release.artifact == release.artifact => Ok(None),
        Some(live) => {
            let reason = format!("{} is live; deploy {release} with a plan", live.release);
            Err(Error::new(ErrorKind::AlreadyExists, OPERATION, reason))
        }
        None => Ok(workload.spare().cloned()),
    }
}

struct Installing<'a> {
    deployer: &'a LocalDeployer,
    target: &'a Target,
    release: &'a Release,
    stamp: Stamp,
    deadline: Instant,
}

impl Installing<'_> {
    async fn apply(&mut self, verb: Verb) -> Result<()> {
        self.stamp = self.stamp.next();
        let left = self.deadline.saturating_duration_since(Instant::now());
        let call =
            Call { key: self.key(&verb)?, stamp: self.stamp, deadline: self.deployer.clock.now() + left };
        let reply = self.deployer.apply(&call, self.target, &verb, &Precondition::default()).await;
        let (kind, reason) = match reply {
            Reply::Applied(_) => return Ok(()),
            Reply::Rejected(rejection) => (ErrorKind::Invalid, rejection.to_string()),
            Reply::Conflict(conflict) => (ErrorKind::Conflict, conflict.to_string()),
            Reply::Ambiguous(ambiguity) => (ErrorKind::Timeout, ambiguity.to_string()),
        };
        Err(Error::new(kind, OPERATION, format!("{verb}: {reason}")).with("target", self.target))
    }

    /// A stamp is used once, so a key with it in it is new.
    fn key(&self, verb: &Verb) -> Result<IdempotencyKey> {
        let text = format!("install:{}:{}", self.stamp, verb.name());
        IdempotencyKey::new(text)
            .map_err(|error| Error::new(ErrorKind::Unexpected, OPERATION, error.to_string()))
    }

    async fn ready(&self, slot: &SlotName) -> Result<()> {
        let mut changes = self.deployer.watch(self.target).await?;
        while let Some(change) = changes.next().await {
            match change? {
                WorkloadChange::Instances { slot: of, ready, .. } if of == *slot && ready > 0 => {
                    return Ok(());
                }
                WorkloadChange::Faulty { slot: of, fault } if of == *slot && is_final(&fault) => {
                    let error = Error::new(ErrorKind::Unavailable, OPERATION, fault.to_string());
                    return Err(error.with("target", self.target).with("release", self.release));
                }
                _ => {}
            }
        }
        Err(Error::new(ErrorKind::Unavailable, OPERATION, "the agent went away").with("target", self.target))
    }
}

/// Whether waiting for readiness makes no sense any more.
fn is_final(fault: &Fault) -> bool {
    matches!(fault, Fault::CrashLoop { .. } | Fault::CannotStart { .. } | Fault::NeverReady { .. })
}
