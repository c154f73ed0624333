//! A deployer of your own: a router inside a process, which sends requests to one of two versions of a handler.
//!
//! `cargo run --example custom_backend` runs the conformance suite of the port on it and prints every case.
//!
//! What makes it correct is little. One value holds everything that has to agree (what the slots hold, who has the
//! traffic, the fence, the keys that were applied), and each call is decided on while nobody else touches it. And the
//! backend says what it cannot do: split traffic by percent, or pause.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use hotfix_core::model::{
    Artifact, ArtifactId, IdempotencyKey, ObjectId, Precondition, Release, Rollout, SlotName, SlotState,
    Stamp, TagName, Target, Verb, VerbName, Version, Weights, Workload, WorkloadSnapshot,
};
use hotfix_core::port::{
    Call, Conflict, Deployer, DeployerCapabilities, Fence, Probe, Receipt, Rejection, Reply, Seal, Sealed,
    TrafficSplit, WorkloadChange, WorkloadWatch,
};
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_testkit::conformance::CaseResult;
use hotfix_testkit::conformance::deployer::{self, DeployerFixture, DeployerSite};

/// Routes requests to versions of handlers in this process. All state is here, so it ends with the process, fence
/// and all; a backend of another system keeps fence and keys in that system, changed in one step with the rest.
#[derive(Debug, Clone, Default)]
struct Router(Arc<Mutex<BTreeMap<Target, Site>>>);

/// What one service is served by, and what keeps stale requests out.
#[derive(Debug)]
struct Site {
    workload: Workload,
    applied: BTreeMap<IdempotencyKey, (Stamp, Receipt)>,
}

impl Site {
    /// Decides on a call. Nothing is changed unless the answer is `Applied`.
    fn decide(&mut self, call: &Call, verb: &Verb, expected: &Precondition) -> Reply {
        let fence = self.workload.stamp;
        if let Some((stamp, receipt)) = self.applied.get_mut(&call.key)
            && (call.stamp > fence || (call.stamp == fence && *stamp == fence))
        {
            (self.workload.stamp, *stamp) = (call.stamp, call.stamp);
            return Reply::Applied(receipt.clone());
        }
        if call.stamp <= fence {
            return Reply::Conflict(Conflict::Fenced { current: fence });
        }
        let live = self.workload.live_artifact().is_some_and(|live| expected.live.contains(&live));
        let holds = |(slot, artifact): &(SlotName, ArtifactId)| {
            self.workload.slot(slot).is_some_and(|held| held.release.artifact.id() == *artifact)
        };
        if !(live || expected.live.is_empty()) || !expected.holds.iter().all(holds) {
            let (expected, found) = (format!("{expected:?}"), format!("{:?}", self.workload.slots));
            return Reply::Conflict(Conflict::Drifted { expected, found });
        }
        if let Err(reason) = self.perform(verb) {
            return Reply::Rejected(Rejection::Permanent { reason: reason.to_owned() });
        }
        let receipt = Receipt(format!("{verb}: done"));
        self.workload.stamp = call.stamp;
        self.applied.insert(call.key.clone(), (call.stamp, receipt.clone()));
        Reply::Applied(receipt)
    }

    /// Does what a verb asks, or says why not.
    fn perform(&mut self, verb: &Verb) -> std::result::Result<(), &'static str> {
        let Workload { slots, live, weights, .. } = &mut self.workload;
        let all = |slot: &SlotName| Some(Weights::all(slot.clone()));
        let busy = |slot: &SlotName| live.as_ref() == Some(slot) || *weights == all(slot);
        let serve = |release: &Release, replicas: &NonZeroU16| {
            let (release, ready) = (release.clone(), replicas.get());
            Some(SlotState { release, replicas: *replicas, ready, faults: Vec::new() })
        };
        let can_serve = |held: &Option<SlotState>| held.as_ref().is_some_and(|held| held.ready > 0);
        match verb {
            Verb::Stage { slot, .. } | Verb::Retire { slot } if !slots.contains_key(slot) => {
                return Err("there is no such slot");
            }
            Verb::Stage { slot, release, .. }
                if busy(slot) && slots[slot].as_ref().is_none_or(|held| held.release != *release) =>
            {
                return Err("the slot is in use; stage in another one");
            }
            Verb::Stage { slot, release, replicas } => {
                drop(slots.insert(slot.clone(), serve(release, replicas)))
            }
            Verb::Shift { weights: wanted } if *weights == Some(wanted.clone()) => {}
            Verb::Shift { weights: wanted }
                if slots.iter().any(|(slot, held)| wanted.of(slot) == 100 && can_serve(held)) =>
            {
                *weights = Some(wanted.clone());
            }
            Verb::Shift { .. } => return Err("traffic goes as a whole to a slot that can serve it"),
            Verb::Promote { slot } if *weights == all(slot) => *live = Some(slot.clone()),
            Verb::Promote { .. } => return Err("the slot does not have the traffic; shift it there first"),
            Verb::Retire { slot } if busy(slot) => {
                return Err("the slot is in use; promote another one first");
            }
            Verb::Retire { slot } => drop(slots.insert(slot.clone(), None)),
            Verb::Restore { snapshot: WorkloadSnapshot { slot, release, replicas, .. } } => {
                slots.values_mut().for_each(|held| *held = None);
                slots.insert(slot.clone(), serve(release, replicas));
                (*live, *weights) = (Some(slot.clone()), all(slot));
            }
            Verb::Pause | Verb::Resume => return Err("a router cannot be paused"),
        }
        Ok(())
    }

    fn seal(&mut self, stamp: Stamp) -> Seal {
        let current = self.workload.stamp;
        if stamp < current {
            return Seal::Overtaken { current };
        }
        self.workload.stamp = stamp;
        Seal::Sealed(Sealed { previous: current })
    }
}

impl Router {
    /// Looks at a site, or changes it, while nobody else does.
    fn with<T>(&self, target: &Target, act: impl FnOnce(&mut Site) -> T) -> Result<T> {
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nowhere = || Error::new(ErrorKind::NotFound, "router", format!("there is no site {target}"));
        Ok(act(sites.get_mut(target).ok_or_else(nowhere)?))
    }
}

#[async_trait]
impl Deployer for Router {
    fn capabilities(&self, _target: &Target) -> DeployerCapabilities {
        use VerbName::{Promote, Restore, Retire, Shift, Stage};
        let verbs = [Stage, Shift, Promote, Retire, Restore].into();
        DeployerCapabilities { verbs, split: TrafficSplit::Switch, fence: Fence::Checked }
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        self.with(target, |site| site.workload.clone())
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        self.observe(target).await?;
        let start = (self.clone(), target.clone(), BTreeMap::new());
        // Looks again and again; a backend with a real watch follows that instead.
        Ok(Box::pin(stream::unfold(start, |(sites, target, mut told)| async move {
            loop {
                let workload = match sites.observe(&target).await {
                    Ok(workload) => workload,
                    Err(error) => return Some((Err(error), (sites, target, told))),
                };
                for (slot, held) in workload.slots {
                    let now = held.map_or((0, 0), |held| (held.replicas.get(), held.ready));
                    if told.insert(slot.clone(), now).unwrap_or_default() != now {
                        let change = WorkloadChange::Instances { slot, replicas: now.0, ready: now.1 };
                        return Some((Ok(change), (sites, target, told)));
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })))
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        let workload = self.observe(target).await?;
        let live = workload.live.clone().zip(workload.live_state().cloned());
        let nothing = || Error::new(ErrorKind::NotFound, "deployer.snapshot", "nothing is live");
        let (slot, SlotState { release, replicas, .. }) = live.ok_or_else(nothing)?;
        Ok(WorkloadSnapshot { slot, release, replicas, backend: serde_json::Value::Null })
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        let reply = self.with(target, |site| site.decide(call, verb, precondition));
        // Nothing gets lost on the way here; where it can, what is not known is `Ambiguous`, never `Rejected`.
        reply.unwrap_or_else(|error| Reply::Rejected(Rejection::Permanent { reason: error.to_string() }))
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        let sealed = self.with(target, |site| site.seal(stamp));
        sealed.unwrap_or_else(|error| Seal::Unreachable { cause: error.to_string() })
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        match self.with(target, |site| site.applied.get(key).cloned()) {
            Ok(found) => found.map_or(Probe::NotApplied, |(_, receipt)| Probe::Applied(receipt)),
            Err(error) => Probe::Unreadable { cause: error.to_string() },
        }
    }
}

// From here on: what the conformance suite needs to know, and running it. In a crate, this is a test.

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes a fresh site for every case.
struct Fixture {
    sites: Router,
    count: AtomicU32,
}

impl Fixture {
    fn make(&self) -> std::result::Result<DeployerSite, Failure> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (target, live, next) =
            (format!("production/site-{number}").parse::<Target>()?, release(1)?, release(2)?);
        let blue = SlotName::new("blue")?;
        let (replicas, ready) = (NonZeroU16::MIN, 1);
        let held = SlotState { release: live.clone(), replicas, ready, faults: Vec::new() };
        let workload = Workload {
            slots: [(blue.clone(), Some(held)), (SlotName::new("green")?, None)].into(),
            live: Some(blue.clone()),
            weights: Some(Weights::all(blue)),
            rollout: Rollout::Active,
            stamp: Stamp::ZERO,
            home: None,
            notices: Vec::new(),
        };
        let site = Site { workload, applied: BTreeMap::new() };
        self.sites.0.lock().unwrap_or_else(PoisonError::into_inner).insert(target.clone(), site);
        let deployer = Arc::new(self.sites.clone());
        Ok(DeployerSite { deployer, target, live, next, never_ready: None })
    }
}

#[async_trait]
impl DeployerFixture for Fixture {
    async fn site(&self) -> DeployerSite {
        self.make().expect("the site was made above")
    }

    async fn fail(&self, site: &DeployerSite, slot: &SlotName) {
        let failed = self.sites.with(&site.target, |site| {
            let held = site.workload.slots.get_mut(slot).and_then(Option::as_mut);
            held.expect("the slot is not empty").ready = 0;
        });
        failed.expect("the site was made above");
    }
}

fn release(number: u64) -> std::result::Result<Release, Failure> {
    let artifact = Artifact::Tree(ObjectId::new(format!("{number:040x}"))?);
    Ok(Release {
        version: Version::new(1, 0, number),
        tag: TagName::new(format!("v1.0.{number}"))?,
        artifact,
    })
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "printing the cases is what this example is for")]
async fn main() -> std::result::Result<(), Failure> {
    let sites = Router::default();
    let report = deployer::report(&Fixture { sites, count: AtomicU32::new(0) }).await;
    for case in &report.cases {
        match &case.result {
            CaseResult::Kept => println!("kept     {}", case.name),
            CaseResult::Skipped(what) => println!("skipped  {}: {what} is not offered", case.name),
            CaseResult::Broken(finding) => println!("BROKEN   {}: {finding}", case.name),
        }
    }
    let (kept, skipped) = (report.cases.len() - report.skipped().len(), report.skipped().len());
    println!("{kept} cases kept, {skipped} skipped because of what the backend says it cannot do");
    if report.broken().is_empty() { Ok(()) } else { Err("the backend does not keep its contract".into()) }
}
