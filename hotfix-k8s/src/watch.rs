//! Following a target: what is seen of each slot against what was told before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use futures_util::stream::unfold;
use hotfix_core::model::{Fault, SlotName, Target};
use hotfix_core::port::{WorkloadChange, WorkloadWatch};
use hotfix_core::{Error, ErrorKind};
use tokio::time::{Instant, timeout_at};

use crate::api::{Failure, READ_LIMIT};
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::hub::{Follower, Seen};
use crate::in_place::SetKind;
use crate::pod::{self, Pod};
use crate::slot::Side;

impl KubernetesDeployer {
    /// Begins with the state that the watches show once they are at least as new as a read of the store.
    pub(crate) async fn try_watch(&self, target: &Target) -> Result<WorkloadWatch, Unusable> {
        let deadline = Instant::now() + READ_LIMIT;
        let config = self.target(target)?;
        let mut sides = Side::BOTH.map(|side| (side, self.hub.follow(config, side)));
        let read = self.newest(target, deadline).await?;
        let name = |side| self.slots.name(side).clone();
        let mut told = Side::BOTH.map(|side| Told::new(name(side)));
        let mut pending = VecDeque::new();
        for ((side, follower), told) in sides.iter_mut().zip(&mut told) {
            let newest = &read[*side as usize];
            let caught_up = timeout_at(deadline, caught_up(follower, newest.as_ref())).await;
            let Ok(seen) = caught_up else {
                return Err(request(format!("the watches of {}", config.namespace), Failure::Timeout));
            };
            if let Some(cause) = follower.broken() {
                let failure = Failure::Interrupted { cause };
                return Err(request(format!("the watches of {}", config.namespace), failure));
            }
            pending.extend(told.begin(&seen));
        }
        let [(_, main), (_, hotfix)] = sides;
        let following = Following { followers: [main, hotfix], told, pending };
        Ok(Box::pin(unfold(Some(following), |following| async {
            let mut following = following?;
            match following.next().await {
                Ok(change) => Some((Ok(change), Some(following))),
                // After an error there is nothing more.
                Err(error) => Some((Err(error), None)),
            }
        })))
    }
}

/// What a read of the store showed of one slot.
struct Newest {
    version: u64,
    pods: Vec<Pod>,
}

impl KubernetesDeployer {
    /// Reads both slots; `None` for one whose object is not there.
    async fn newest(&self, target: &Target, deadline: Instant) -> Result<[Option<Newest>; 2], Unusable> {
        if self.target(target)?.on_gitops.in_git().is_some() {
            let sight = self.in_git(target, deadline).await?;
            let version = pod::version(&sight.object.value["metadata"]);
            let newest = |_| Newest { version, pods: sight.pods.clone() };
            // Until there are marks, all pods are of the one slot.
            let is_known = |side: &Side| sight.is_marked || *side == Side::Main;
            return Ok(Side::BOTH.map(|side| Some(side).filter(is_known).map(newest)));
        }
        if let Some(kind) = SetKind::of(self.target(target)?.workload) {
            let sight = self.in_place(target, kind, deadline).await?;
            let version = pod::version(&sight.object.value["metadata"]);
            return Ok(Side::BOTH.map(|_| Some(Newest { version, pods: sight.pods.clone() })));
        }
        let sight = self.sight(target, deadline).await?;
        Ok(Side::BOTH.map(|side| {
            let read = sight.deployment(side)?;
            let version = pod::version(&read.value["metadata"]);
            let is_its_own = |pod: &&Pod| pod.deployment.as_deref() == Some(&*read.reference.name);
            Some(Newest { version, pods: sight.pods.iter().filter(is_its_own).cloned().collect() })
        }))
    }
}

/// Waits until a watch shows at least what was read.
async fn caught_up(follower: &mut Follower, newest: Option<&Newest>) -> Seen {
    follower.listed().await;
    loop {
        let seen = follower.seen();
        if follower.broken().is_some() || is_as_new(&seen, newest) {
            return seen;
        }
        follower.next().await;
    }
}

fn is_as_new(seen: &Seen, newest: Option<&Newest>) -> bool {
    let Some(newest) = newest else { return true };
    let deployment = seen.deployment.as_ref().is_some_and(|seen| seen.version >= newest.version);
    let is_there = |pod: &Pod| {
        // A pod that is going may be gone by now.
        pod.is_going || seen.pods.get(&pod.name).is_some_and(|seen| seen.version >= pod.version)
    };
    deployment && newest.pods.iter().all(is_there)
}

struct Following {
    followers: [Follower; 2],
    told: [Told; 2],
    pending: VecDeque<WorkloadChange>,
}

impl Following {
    async fn next(&mut self) -> Result<WorkloadChange, Error> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                return Ok(change);
            }
            let [main, hotfix] = &mut self.followers;
            tokio::select! {
                () = main.next() => {}
                () = hotfix.next() => {}
            }
            for (follower, told) in self.followers.iter_mut().zip(&mut self.told) {
                if let Some(cause) = follower.broken() {
                    return Err(Error::new(ErrorKind::Unavailable, "deployer.watch", cause));
                }
                self.pending.extend(told.compare(&follower.seen()));
            }
        }
    }
}

/// What was told of one slot.
#[derive(Debug)]
struct Told {
    slot: SlotName,
    instances: (u16, u16),
    faults: BTreeSet<Fault>,
    pods: BTreeMap<String, Arc<Pod>>,
}

impl Told {
    const fn new(slot: SlotName) -> Self {
        Self { slot, instances: (0, 0), faults: BTreeSet::new(), pods: BTreeMap::new() }
    }

    /// The present state, if the slot is filled.
    fn begin(&mut self, seen: &Seen) -> Vec<WorkloadChange> {
        self.pods.clone_from(&seen.pods);
        self.compare(seen)
    }

    /// What changed since it was told.
    fn compare(&mut self, seen: &Seen) -> Vec<WorkloadChange> {
        let mut changes = Vec::new();
        let (instances, faults) = summary(seen);
        if instances != self.instances {
            let (replicas, ready) = instances;
            changes.push(WorkloadChange::Instances { slot: self.slot.clone(), replicas, ready });
        }
        let happened = current(seen).filter_map(|pod| Some(pod.happened(self.pods.get(&pod.name)?)));
        let happened = happened.flatten();
        let new = faults.difference(&self.faults).cloned();
        let faulty = |fault| WorkloadChange::Faulty { slot: self.slot.clone(), fault };
        changes.extend(happened.chain(new).map(faulty));
        self.instances = instances;
        self.faults = faults;
        self.pods.clone_from(&seen.pods);
        changes
    }
}

/// How many pods are wanted and ready, and what is wrong with them now.
fn summary(seen: &Seen) -> ((u16, u16), BTreeSet<Fault>) {
    let Some(deployment) = &seen.deployment else { return ((0, 0), BTreeSet::new()) };
    let pods: Vec<&Pod> = seen.pods.values().map(AsRef::as_ref).collect();
    let ready = deployment.rolled.ready(&pods, &deployment.runs).min(deployment.most_ready);
    let faults = current(seen).flat_map(Pod::faults).chain(deployment.faults.iter().cloned());
    let faults = if deployment.replicas == 0 { BTreeSet::new() } else { faults.collect() };
    ((deployment.replicas, ready), faults)
}

/// The pods of what the Deployment holds now. What crashes in those that it replaces is why they are replaced.
fn current(seen: &Seen) -> impl Iterator<Item = &Pod> {
    let pods = seen.pods.values().map(AsRef::as_ref);
    pods.filter(|pod| seen.deployment.as_ref().is_some_and(|deployment| deployment.runs.is_in(pod)))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
