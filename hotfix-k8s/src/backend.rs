//! `Deployer` for Kubernetes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use hotfix_core::model::{
    IdempotencyKey, Precondition, Stamp, Target, Verb, VerbName, Workload, WorkloadSnapshot,
};
use hotfix_core::port::{
    Call, Deployer, DeployerCapabilities, Fence, Probe, Receipt, Reply, Seal, TrafficSplit, WorkloadWatch,
};
use hotfix_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::api::READ_LIMIT;
use crate::apply::Attempt;
use crate::budget;
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::fence;
use crate::in_git;
use crate::in_place::{self, SetKind};
use crate::lanes::Lane;
use crate::reply;
use crate::sight::Object;

#[async_trait]
impl Deployer for KubernetesDeployer {
    fn capabilities(&self, target: &Target) -> DeployerCapabilities {
        use VerbName::{Pause, Promote, Restore, Resume, Retire, Shift, Stage};
        let config = self.config.targets.get(target);
        let mut verbs = BTreeSet::from([Stage, Shift, Promote, Retire, Restore]);
        let in_git = config.is_some_and(|config| config.on_gitops.in_git().is_some());
        let split = match config.and_then(|config| SetKind::of(config.workload)) {
            Some(_) => TrafficSplit::Instances,
            None if in_git => TrafficSplit::AllInstances,
            None => {
                verbs.extend([Pause, Resume]);
                config.map_or(TrafficSplit::Switch, |config| config.traffic.split())
            }
        };
        DeployerCapabilities { verbs, split, fence: Fence::Checked }
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        let observed = self.try_observe(target).await;
        observed.map_err(|unusable| unusable.into_port("deployer.observe").with("target", target))
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        let watch = self.try_watch(target).await;
        watch.map_err(|unusable| unusable.into_port("deployer.watch").with("target", target))
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        let snapshot = match self.set_kind(target) {
            Some(kind) => self.snapshot_in_place(target, kind).await,
            None if self.is_in_git(target) => self.snapshot_in_git(target).await,
            None => self.try_snapshot(target).await,
        };
        let snapshot =
            snapshot.map_err(|unusable| unusable.into_port("deployer.snapshot").with("target", target))?;
        snapshot.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "deployer.snapshot", "nothing is live").with("target", target)
        })
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        match self.instant(call.deadline) {
            Some(deadline) => {
                let lane = if verb.name() == VerbName::Restore { Lane::Undo } else { Lane::Forward };
                let deployer = &self.in_lane(lane);
                match self.set_kind(target) {
                    Some(kind) => {
                        let attempt =
                            in_place::Attempt { deployer, kind, call, target, verb, precondition, deadline };
                        attempt.run().await
                    }
                    None if self.is_in_git(target) => {
                        let attempt =
                            in_git::Attempt { deployer, call, target, verb, precondition, deadline };
                        attempt.run().await
                    }
                    None => Attempt::new(deployer, call, target, verb, precondition, deadline).run().await,
                }
            }
            None => {
                let reason = "the deadline had passed before anything was done".to_owned();
                Reply::Rejected(reply::busy(reason, None))
            }
        }
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        self.in_lane(Lane::Seal).raise(target, stamp).await
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        match self.in_lane(Lane::Seal).find(target, key).await {
            Ok(probe) => probe,
            Err(unusable) => Probe::Unreadable { cause: unusable.to_string() },
        }
    }
}

impl KubernetesDeployer {
    /// Returns the kind of a target whose pods are replaced in place.
    fn set_kind(&self, target: &Target) -> Option<SetKind> {
        SetKind::of(self.config.targets.get(target)?.workload)
    }

    /// Returns whether the image of a target is written in git.
    fn is_in_git(&self, target: &Target) -> bool {
        self.config.targets.get(target).is_some_and(|config| config.on_gitops.in_git().is_some())
    }

    async fn try_observe(&self, target: &Target) -> std::result::Result<Workload, Unusable> {
        if let Some(kind) = self.set_kind(target) {
            return self.observe_in_place(target, kind).await;
        }
        if self.is_in_git(target) {
            return self.observe_in_git(target).await;
        }
        let deadline = Instant::now() + READ_LIMIT;
        let (unowned, survey, budgets, missing) = tokio::join!(
            self.unowned(target, deadline),
            self.survey(target, deadline),
            self.budgets(target, deadline),
            self.missing_service(target, deadline)
        );
        let ((sight, _), mut notices, budgets) = (unowned?, survey?.notices, budgets?);
        let sight = self.once_seen(target, sight, deadline).await?;
        notices.extend(budget::notices(&sight, &budgets));
        // No way back needs it, so it is no reason to refuse one.
        notices.extend(missing?.map(|service| {
            format!("{service} does not exist, so no share of the traffic can be given to the copy; create it or correct the configuration")
        }));
        notices.extend(sight.traffic.objections(&sight.route.value).iter().map(|objection| {
            format!(
                "{}: {objection}; no share that is written there counts as given before that is mended",
                sight.route.reference
            )
        }));
        Ok(Workload { notices, ..sight.workload()? })
    }

    async fn find(&self, target: &Target, key: &IdempotencyKey) -> std::result::Result<Probe, Unusable> {
        let objects = self.objects(target, Instant::now() + READ_LIMIT).await?;
        let applied = fence::find(&Object::notes(&objects), key).map(|(_, applied)| applied);
        match (applied, self.repository(target)?) {
            (Some(applied), _) => Ok(Probe::Applied(Receipt(applied.receipt.clone()))),
            // A commit that was pushed is what the owner applies, whether it was recorded here or not.
            (None, Some((config, repository))) => Ok(repository.probe(&config.service, key).await),
            (None, None) => Ok(Probe::NotApplied),
        }
    }
}
