//! A prepared target, and the steps that most cases begin with.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::num::NonZeroU16;
use std::sync::Arc;

use hotfix_core::model::{
    Precondition, Release, Rollout, SlotName, Target, Verb, VerbName, Weights, Workload, WorkloadSnapshot,
};
use hotfix_core::port::{Deployer, DeployerCapabilities, Reply, TrafficSplit, WorkloadChange, WorkloadWatch};

use super::super::call::Caller;
use super::super::expect::{applied, broken, offered, succeeds};
use super::super::report::{Outcome, Unmet};

/// A target that is ready for one case: two slots or more, one of them live and ready with all the traffic, the
/// others empty. The live one has at least two instances where the slots share them.
#[derive(Debug, Clone)]
pub struct DeployerSite {
    /// The backend.
    pub deployer: Arc<dyn Deployer>,
    /// The target.
    pub target: Target,
    /// The release that is live.
    pub live: Release,
    /// Another release, which becomes ready by itself once it is staged.
    pub next: Release,
    /// A release whose instances never become ready, if the backend's author has one.
    pub never_ready: Option<Release>,
}

pub(super) const ONE: NonZeroU16 = NonZeroU16::MIN;

/// What verbs determine; readiness, faults and the fence are left out.
pub(super) type Shape =
    (BTreeMap<SlotName, Option<(Release, NonZeroU16)>>, Option<SlotName>, Option<Weights>, Rollout);

/// A site with the workload as it was at the beginning, and a caller for it.
pub(super) struct Visit {
    pub(super) site: DeployerSite,
    pub(super) live: SlotName,
    pub(super) spare: SlotName,
    /// How many instances are staged: one, or all where no part of them can be.
    pub(super) size: NonZeroU16,
    pub(super) caller: Caller,
}

impl Visit {
    pub(super) async fn begin(site: DeployerSite) -> Result<Self, Unmet> {
        let workload = succeeds("observe", site.deployer.observe(&site.target).await)?;
        let live = workload.live.clone().ok_or_else(|| broken("the fixture's target has no live slot"))?;
        let spare = workload.spare().cloned();
        let is_at_once = site.deployer.capabilities(&site.target).split == TrafficSplit::AllInstances;
        let all = workload.live_state().map_or(ONE, |held| held.replicas);
        Ok(Self {
            live,
            size: if is_at_once { all } else { ONE },
            spare: spare.ok_or_else(|| broken("the fixture's target has no second slot"))?,
            caller: Caller::above(workload.stamp),
            site,
        })
    }

    pub(super) fn capabilities(&self) -> DeployerCapabilities {
        self.site.deployer.capabilities(&self.site.target)
    }

    pub(super) async fn workload(&self) -> Result<Workload, Unmet> {
        succeeds("observe", self.site.deployer.observe(&self.site.target).await)
    }

    pub(super) async fn shape(&self) -> Result<Shape, Unmet> {
        let Workload { slots, live, weights, rollout, .. } = self.workload().await?;
        let held =
            slots.into_iter().map(|(slot, held)| (slot, held.map(|held| (held.release, held.replicas))));
        Ok((held.collect(), live, weights, rollout))
    }

    pub(super) async fn snapshot(&self) -> Result<WorkloadSnapshot, Unmet> {
        succeeds("snapshot", self.site.deployer.snapshot(&self.site.target).await)
    }

    pub(super) async fn watch(&self) -> Result<WorkloadWatch, Unmet> {
        succeeds("watch", self.site.deployer.watch(&self.site.target).await)
    }

    /// Applies a verb with a fresh key and the next stamp.
    pub(super) async fn apply(&mut self, verb: Verb) -> Reply {
        self.apply_if(verb, Precondition::default()).await
    }

    pub(super) async fn apply_if(&mut self, verb: Verb, precondition: Precondition) -> Reply {
        let stamp = self.caller.stamp();
        let call = super::super::call::call(&format!("{}-{stamp}", verb.name()), stamp);
        self.site.deployer.apply(&call, &self.site.target, &verb, &precondition).await
    }

    /// Goes on only if the verbs are offered.
    pub(super) fn needs(&self, verbs: &[VerbName]) -> Outcome {
        let offers = self.capabilities().verbs;
        offered(verbs.iter().all(|verb| offers.contains(verb)), "a verb of the case")
    }

    pub(super) fn stage(&self, release: &Release) -> Verb {
        Verb::Stage { slot: self.spare.clone(), release: release.clone(), replicas: self.size }
    }

    /// Stages the next release in the spare slot and waits until it is ready.
    pub(super) async fn stage_next(&mut self) -> Outcome {
        let verb = self.stage(&self.site.next.clone());
        applied("stage", &self.apply(verb).await)?;
        self.until_ready(&self.spare.clone(), true).await
    }

    /// Stages the next release and sends it all the traffic.
    pub(super) async fn move_to_next(&mut self) -> Outcome {
        self.stage_next().await?;
        self.send_all_to_next().await
    }

    /// Sends all the traffic to the release that is staged. Where the slots share their instances, it gets all of them.
    pub(super) async fn send_all_to_next(&mut self) -> Outcome {
        if self.shares_instances() {
            let replicas = self.snapshot().await?.replicas;
            let (slot, release) = (self.spare.clone(), self.site.next.clone());
            applied("stage", &self.apply(Verb::Stage { slot, release, replicas }).await)?;
            self.until_ready(&self.spare.clone(), true).await?;
        }
        let weights = Weights::all(self.spare.clone());
        applied("shift", &self.apply(Verb::Shift { weights }).await)
    }

    /// Returns whether the instances of one slot replace those of another.
    pub(super) fn shares_instances(&self) -> bool {
        self.capabilities().split.shares_instances()
    }

    /// Returns whether what is staged replaces all instances.
    pub(super) fn is_at_once(&self) -> bool {
        self.capabilities().split == TrafficSplit::AllInstances
    }

    /// Waits until a slot has all its instances ready, or none; follows the watch rather than asking again and again.
    pub(super) async fn until_ready(&self, slot: &SlotName, ready: bool) -> Outcome {
        let mut watch = self.watch().await?;
        loop {
            let workload = self.workload().await?;
            let held = workload.slot(slot);
            let all_ready = held.is_some_and(|held| held.ready == held.replicas.get());
            let none_ready = held.is_none_or(|held| held.ready == 0);
            if if ready { all_ready } else { none_ready } {
                return Ok(());
            }
            next_change(&mut watch).await?;
        }
    }
}

/// Waits for the next item of a watch. A case that waits in vain is ended by the limit of the report.
pub(super) async fn next_change(watch: &mut WorkloadWatch) -> Result<WorkloadChange, Unmet> {
    match poll_fn(|cx| watch.as_mut().poll_next(cx)).await {
        Some(change) => succeeds("the watch", change),
        None => Err(broken("the watch ended without an error")),
    }
}
