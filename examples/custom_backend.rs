//! A deployer of your own: static sites, for a web server that reads from one file per site what to serve.
//!
//! `cargo run --example custom_backend` runs the conformance suite of the port on it and prints every case.
//!
//! What makes it correct is little. One file holds everything that has to agree (what the slots hold, who has the
//! traffic, the fence, the keys that were applied); it is replaced as a whole, by renaming, under a lock. Content goes
//! first: it is written before the file names it. And it says what it cannot do: no split by percent, no pause.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use hotfix_core::model::{
    Artifact, IdempotencyKey, ObjectId, Precondition, Release, Rollout, SlotName, SlotState, Stamp, TagName,
    Target, Verb, VerbName, Version, Weights, Workload, WorkloadSnapshot,
};
use hotfix_core::port::{
    Ambiguity, Call, Conflict, Deployer, DeployerCapabilities, Fence, Probe, Receipt, Rejection, Reply, Seal,
    Sealed, TrafficSplit, WorkloadChange, WorkloadWatch,
};
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_testkit::conformance::CaseResult;
use hotfix_testkit::conformance::deployer::{self, DeployerFixture, DeployerSite};
use serde::{Deserialize, Serialize};

/// Deploys to the sites below a folder. Any number of processes may do so at the same time.
#[derive(Debug, Clone)]
struct StaticSites(PathBuf);

/// The file of a site: what its web server serves, and what keeps stale requests out.
#[derive(Debug, Serialize, Deserialize)]
struct Site {
    slots: BTreeMap<SlotName, Option<Held>>,
    live: SlotName,
    traffic: SlotName,
    fence: Stamp,
    sealed: Option<(Stamp, Stamp)>,
    applied: BTreeMap<IdempotencyKey, (Stamp, Receipt)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Held {
    release: Release,
    replicas: NonZeroU16,
}

impl Site {
    /// Decides on a call. Nothing is changed unless the answer is `Applied`.
    fn decide(
        &mut self,
        folder: &Path,
        call: &Call,
        verb: &Verb,
        expected: &Precondition,
    ) -> io::Result<Reply> {
        let fenced = Reply::Conflict(Conflict::Fenced { current: self.fence });
        if let Some((stamp, receipt)) = self.applied.get_mut(&call.key) {
            let newest = call.stamp > self.fence || (call.stamp == self.fence && *stamp == self.fence);
            if !newest {
                return Ok(fenced);
            }
            (self.fence, *stamp) = (call.stamp, call.stamp);
            return Ok(Reply::Applied(receipt.clone()));
        }
        if call.stamp <= self.fence {
            return Ok(fenced);
        }
        if !self.is_as(expected) {
            let (expected, found) = (format!("{expected:?}"), format!("{:?}", self.slots));
            return Ok(Reply::Conflict(Conflict::Drifted { expected, found }));
        }
        if let Err(reason) = self.perform(folder, verb)? {
            return Ok(Reply::Rejected(Rejection::Permanent { reason }));
        }
        let receipt = Receipt(format!("{verb}: done"));
        self.fence = call.stamp;
        self.applied.insert(call.key.clone(), (call.stamp, receipt.clone()));
        Ok(Reply::Applied(receipt))
    }

    fn is_as(&self, expected: &Precondition) -> bool {
        let held = |slot| self.slots.get(slot)?.as_ref().map(|held| held.release.artifact.id());
        let live = held(&self.live);
        let live = expected.live.is_empty() || live.is_some_and(|live| expected.live.contains(&live));
        live && expected.holds.as_ref().is_none_or(|(slot, artifact)| held(slot).as_ref() == Some(artifact))
    }

    /// Does what a verb asks, or says why not.
    fn perform(&mut self, folder: &Path, verb: &Verb) -> io::Result<std::result::Result<(), String>> {
        let busy = |slot: &SlotName| *slot == self.live || *slot == self.traffic;
        match verb {
            Verb::Stage { slot, .. } if !self.slots.contains_key(slot) => {
                return refuse("there is no such slot");
            }
            Verb::Stage { slot, release, replicas } => {
                let same = |held: &Held| held.release == *release && held.replicas <= *replicas;
                if busy(slot) && !self.slots[slot].as_ref().is_some_and(same) {
                    return refuse("the slot is in use; stage in another one");
                }
                publish(folder, slot, release)?;
                self.slots.insert(slot.clone(), Some(Held { release: release.clone(), replicas: *replicas }));
            }
            Verb::Shift { weights } => match weights.iter().collect::<Vec<_>>()[..] {
                [(slot, _)] if *slot == self.traffic => {}
                [(slot, _)] if is_ready(folder, slot) => self.traffic = slot.clone(),
                [_] => return refuse("the slot has nothing to serve"),
                _ => return refuse("traffic is switched as a whole; give all of it to one slot"),
            },
            Verb::Promote { slot } if *slot == self.traffic => self.live = slot.clone(),
            Verb::Promote { .. } => {
                return refuse("the slot does not have the traffic; shift it there first");
            }
            Verb::Retire { slot } if busy(slot) => {
                return refuse("the slot is in use; promote another one first");
            }
            Verb::Retire { slot } if !self.slots.contains_key(slot) => {
                return refuse("there is no such slot");
            }
            Verb::Retire { slot } => drop(self.slots.insert(slot.clone(), None)),
            Verb::Restore { snapshot: WorkloadSnapshot { slot, release, replicas, .. } } => {
                publish(folder, slot, release)?;
                self.slots.values_mut().for_each(|held| *held = None);
                self.slots.insert(slot.clone(), Some(Held { release: release.clone(), replicas: *replicas }));
                (self.live, self.traffic) = (slot.clone(), slot.clone());
            }
            Verb::Pause | Verb::Resume => return refuse("a site cannot be paused"),
        }
        Ok(Ok(()))
    }

    fn seal(&mut self, stamp: Stamp) -> Seal {
        match self.sealed {
            Some((at, previous)) if at == stamp && stamp == self.fence => Seal::Sealed(Sealed { previous }),
            _ if stamp < self.fence => Seal::Overtaken { current: self.fence },
            _ => {
                let previous = std::mem::replace(&mut self.fence, stamp);
                self.sealed = Some((stamp, previous));
                Seal::Sealed(Sealed { previous })
            }
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a function that can also fail")]
fn refuse(reason: &str) -> io::Result<std::result::Result<(), String>> {
    Ok(Err(reason.to_owned()))
}

/// Writes the pages of a release. Writing them again heals a slot that lost them.
fn publish(folder: &Path, slot: &SlotName, release: &Release) -> io::Result<()> {
    fs::create_dir_all(folder.join(slot.as_str()))?;
    fs::write(folder.join(slot.as_str()).join("index.html"), release.to_string())
}

fn is_ready(folder: &Path, slot: &SlotName) -> bool {
    folder.join(slot.as_str()).join("index.html").exists()
}

impl StaticSites {
    fn folder(&self, target: &Target) -> PathBuf {
        self.0.join(target.environment.as_str()).join(target.service.as_str())
    }

    /// Changes the file of a site as a whole while nobody else does.
    fn change<T>(
        &self,
        target: &Target,
        change: impl FnOnce(&Path, &mut Site) -> io::Result<T>,
    ) -> io::Result<T> {
        let folder = self.folder(target);
        let lock = File::open(&folder)?;
        lock.lock()?;
        let mut site = load(&folder)?;
        let answer = change(&folder, &mut site)?;
        save(&folder, &site)?;
        Ok(answer)
    }

    fn look(&self, operation: &'static str, target: &Target) -> Result<Workload> {
        let folder = self.folder(target);
        let site = load(&folder).map_err(|error| {
            let missing = error.kind() == io::ErrorKind::NotFound;
            let kind = if missing { ErrorKind::NotFound } else { ErrorKind::Unavailable };
            Error::new(kind, operation, "the file of the site cannot be read").with_source(error)
        })?;
        let state = |(slot, held): (SlotName, Option<Held>)| {
            let ready = |held: &Held| if is_ready(&folder, &slot) { held.replicas.get() } else { 0 };
            let state = held.map(|held| {
                let (ready, Held { release, replicas }) = (ready(&held), held);
                SlotState { release, replicas, ready, faults: Vec::new() }
            });
            (slot, state)
        };
        Ok(Workload {
            slots: site.slots.into_iter().map(state).collect(),
            live: Some(site.live),
            weights: Some(Weights::all(site.traffic)),
            rollout: Rollout::Active,
            stamp: site.fence,
        })
    }
}

fn load(folder: &Path) -> io::Result<Site> {
    Ok(serde_json::from_slice(&fs::read(folder.join("site.json"))?)?)
}

/// Replaces the file: written beside, synced, renamed. A crash leaves the old one or the new one.
fn save(folder: &Path, site: &Site) -> io::Result<()> {
    let mut file = File::create(folder.join("site.json.new"))?;
    file.write_all(&serde_json::to_vec(site)?)?;
    file.sync_all()?;
    fs::rename(folder.join("site.json.new"), folder.join("site.json"))?;
    File::open(folder)?.sync_all()
}

#[async_trait]
impl Deployer for StaticSites {
    fn capabilities(&self) -> DeployerCapabilities {
        use VerbName::{Promote, Restore, Retire, Shift, Stage};
        let verbs = [Stage, Shift, Promote, Retire, Restore].into();
        DeployerCapabilities { verbs, split: TrafficSplit::Switch, fence: Fence::Checked }
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        self.look("deployer.observe", target)
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        self.look("deployer.watch", target)?;
        let start = (self.clone(), target.clone(), BTreeMap::new());
        // Looks again and again; a backend with a real watch follows that instead.
        Ok(Box::pin(stream::unfold(start, |(sites, target, mut told)| async move {
            loop {
                let workload = match sites.look("deployer.watch", &target) {
                    Ok(workload) => workload,
                    Err(error) => return Some((Err(error), (sites, target, told))),
                };
                for (slot, state) in workload.slots {
                    let now = state.map_or((0, 0), |state| (state.replicas.get(), state.ready));
                    if told.insert(slot.clone(), now).unwrap_or_default() != now {
                        let (replicas, ready) = now;
                        let change = WorkloadChange::Instances { slot, replicas, ready };
                        return Some((Ok(change), (sites, target, told)));
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })))
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        let workload = self.look("deployer.snapshot", target)?;
        let nothing = || Error::new(ErrorKind::NotFound, "deployer.snapshot", "nothing is live");
        let slot = workload.live.clone().ok_or_else(nothing)?;
        let SlotState { release, replicas, .. } = workload.live_state().ok_or_else(nothing)?.clone();
        Ok(WorkloadSnapshot { slot, release, replicas, backend: serde_json::Value::Null })
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        if !self.folder(target).exists() {
            return Reply::Rejected(Rejection::Permanent { reason: format!("there is no site {target}") });
        }
        let reply = self.change(target, |folder, site| site.decide(folder, call, verb, precondition));
        // Whether the file was replaced before the error is not known. The engine will seal and probe.
        reply.unwrap_or_else(|error| Reply::Ambiguous(Ambiguity::Interrupted { cause: error.to_string() }))
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        let sealed = self.change(target, |_, site| Ok(site.seal(stamp)));
        sealed.unwrap_or_else(|error| Seal::Unreachable { cause: error.to_string() })
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        match load(&self.folder(target)) {
            Ok(site) => site
                .applied
                .get(key)
                .map_or(Probe::NotApplied, |(_, receipt)| Probe::Applied(receipt.clone())),
            Err(error) => Probe::Unreadable { cause: error.to_string() },
        }
    }
}

// From here on: what the conformance suite needs to know, and running it. In a crate, this is a test.

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes a fresh site for every case.
struct Fixture {
    sites: StaticSites,
    count: AtomicU32,
}

impl Fixture {
    fn make(&self) -> std::result::Result<DeployerSite, Failure> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (target, live, next) = (format!("production/site-{number}").parse()?, release(1)?, release(2)?);
        let (folder, blue) = (self.sites.folder(&target), SlotName::new("blue")?);
        publish(&folder, &blue, &live)?;
        let held = Held { release: live.clone(), replicas: NonZeroU16::MIN };
        let slots = [(blue.clone(), Some(held)), (SlotName::new("green")?, None)].into();
        let (fence, sealed, applied) = (Stamp::ZERO, None, BTreeMap::new());
        save(&folder, &Site { slots, live: blue.clone(), traffic: blue, fence, sealed, applied })?;
        let deployer = Arc::new(self.sites.clone());
        Ok(DeployerSite { deployer, target, live, next, never_ready: None })
    }
}

#[async_trait]
impl DeployerFixture for Fixture {
    async fn site(&self) -> DeployerSite {
        self.make().expect("the folder of the example can be written")
    }

    async fn fail(&self, site: &DeployerSite, slot: &SlotName) {
        let page = self.sites.folder(&site.target).join(slot.as_str()).join("index.html");
        fs::remove_file(page).expect("the slot has a page");
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
    let folder = tempfile::tempdir()?;
    let sites = StaticSites(folder.path().to_owned());
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
