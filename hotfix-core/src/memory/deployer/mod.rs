//! The reference [`Deployer`]: workloads as plain values, changed under one lock.

mod in_place;
mod verbs;
mod workload;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

pub use self::workload::{AcceptedVerb, Behaviour, VerbEffect};
use self::workload::{Behaviours, Site};
use super::lock;
use super::script::{DOWN, Link, Network, Trouble, refuse};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    ArtifactId, Fault, IdempotencyKey, Precondition, Release, SlotName, Stamp, Target, Verb, VerbName,
    Workload, WorkloadSnapshot,
};
use crate::port::{
    Call, Deployer, DeployerCapabilities, Fence, Probe, Reply, Seal, TrafficSplit, WorkloadWatch,
};

/// A deployer whose workloads exist only in memory.
///
/// Instances of a staged release are ready at once unless its [`Behaviour`] says otherwise. Everything else that a
/// real platform does by itself (instances that die, edits by other people, lost messages) happens when a test says
/// so. Each accepted mutation is recorded in [`MemoryDeployer::accepted`], independently of what the caller heard.
#[derive(Clone)]
pub struct MemoryDeployer {
    capabilities: DeployerCapabilities,
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    sites: BTreeMap<Target, Site>,
    behaviours: Behaviours,
    network: Network<Request>,
}

#[derive(Clone)]
struct Request {
    call: Call,
    target: Target,
    verb: Verb,
    precondition: Precondition,
    split: TrafficSplit,
}

impl Default for MemoryDeployer {
    /// A deployer with every verb, percentages and a checked fence.
    fn default() -> Self {
        use VerbName::{Pause, Promote, Restore, Resume, Retire, Shift, Stage};
        Self {
            capabilities: DeployerCapabilities {
                verbs: [Stage, Shift, Promote, Retire, Restore, Pause, Resume].into(),
                split: TrafficSplit::Percent,
                fence: Fence::Checked,
            },
            world: Arc::default(),
        }
    }
}

impl MemoryDeployer {
    /// Builds a deployer without targets that can do everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Narrows what this handle can do. It still checks the fence, whatever it says about it. Where the slots share
    /// their instances, there are as many as the live slot has.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: DeployerCapabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Adds a target with empty slots. A target that is there is replaced.
    pub fn add_target(&self, target: &Target, slots: impl IntoIterator<Item = SlotName>) {
        let mut world = lock(&self.world);
        let site = Site::empty(slots, world.behaviours.clone());
        world.sites.insert(target.clone(), site);
    }

    /// Puts a release live in a slot, with all its instances ready and all the traffic, as if it had always been
    /// there. The slot is added if need be.
    ///
    /// # Panics
    /// If the target was not added.
    pub fn install(&self, target: &Target, slot: &SlotName, release: &Release, replicas: NonZeroU16) {
        self.with(target, |site| site.install(slot, release, replicas));
    }

    /// Says which slot others deploy to as well.
    ///
    /// # Panics
    /// If the target was not added.
    pub fn set_home(&self, target: &Target, slot: &SlotName) {
        self.with(target, |site| site.set_home(slot));
    }

    /// Says what people should know of a target before they change it.
    ///
    /// # Panics
    /// If the target was not added.
    pub fn notice(&self, target: &Target, notice: &str) {
        self.with(target, |site| site.notice(notice));
    }

    /// Says how instances of an artifact behave from now on, on every target.
    pub fn behave(&self, artifact: ArtifactId, behaviour: Behaviour) {
        lock(&self.world).behaviours.set(artifact, behaviour);
    }

    /// Sets how many instances of a slot are ready, at most as many as are wanted.
    ///
    /// # Panics
    /// If the target was not added or the slot is empty.
    pub fn set_ready(&self, target: &Target, slot: &SlotName, ready: u16) {
        self.with(target, |site| site.set_ready(slot, ready));
    }

    /// Reports a fault of an instance of a slot.
    ///
    /// # Panics
    /// If the target was not added or the slot is empty.
    pub fn report(&self, target: &Target, slot: &SlotName, fault: Fault) {
        self.with(target, |site| site.report(slot, fault));
    }

    /// Makes all instances of a slot ready and forgets their faults.
    ///
    /// # Panics
    /// If the target was not added or the slot is empty.
    pub fn heal(&self, target: &Target, slot: &SlotName) {
        self.with(target, |site| site.heal(slot));
    }

    /// Changes what a slot holds behind everybody's back, without a stamp.
    ///
    /// # Panics
    /// If the target was not added or the slot is empty.
    pub fn edit(&self, target: &Target, slot: &SlotName, release: &Release) {
        self.with(target, |site| site.edit(slot, release));
    }

    /// Breaks every watch of the target: each ends with an error.
    ///
    /// # Panics
    /// If the target was not added.
    pub fn break_watches(&self, target: &Target) {
        self.with(target, Site::break_watches);
    }

    /// Scripts what happens to the next call of `apply` for which nothing is scripted yet.
    pub fn trouble(&self, trouble: Trouble) {
        lock(&self.world).network.add(trouble);
    }

    /// Cuts or restores the link to all targets.
    pub fn set_link(&self, link: Link) {
        lock(&self.world).network.link = link;
    }

    /// Delivers the requests that were held, in the order they were sent, and returns what the targets answered to
    /// nobody.
    pub fn deliver_held(&self) -> Vec<Reply> {
        lock(&self.world).deliver_held()
    }

    /// Returns the mutations that the target accepted, in order.
    ///
    /// # Panics
    /// If the target was not added.
    #[must_use]
    pub fn accepted(&self, target: &Target) -> Vec<AcceptedVerb> {
        self.with(target, |site| site.accepted().to_vec())
    }

    fn with<T>(&self, target: &Target, act: impl FnOnce(&mut Site) -> T) -> T {
        let mut world = lock(&self.world);
        let site = world.sites.get_mut(target);
        act(site.unwrap_or_else(|| panic!("target {target} was not added to this MemoryDeployer")))
    }

    fn read<T>(
        &self,
        operation: &'static str,
        target: &Target,
        read: impl FnOnce(&mut Site) -> Result<T>,
    ) -> Result<T> {
        let mut world = lock(&self.world);
        if world.network.link == Link::Down {
            return Err(Error::new(ErrorKind::Unavailable, operation, DOWN).with("target", target));
        }
        let Some(site) = world.sites.get_mut(target) else {
            return Err(Error::new(ErrorKind::NotFound, operation, "no such target").with("target", target));
        };
        read(site)
    }

    /// Refuses what this handle does not offer.
    fn refusal(&self, verb: &Verb) -> Option<Reply> {
        let name = verb.name();
        if !self.capabilities.verbs.contains(&name) {
            let reason = format!("verb {name} is not offered by this deployer");
            return Some(Reply::Rejected(refuse(reason)));
        }
        match verb {
            Verb::Shift { weights }
                if self.capabilities.split == TrafficSplit::Switch && weights.iter().count() > 1 =>
            {
                let reason = format!("traffic cannot be split ({weights}), only switched as a whole");
                Some(Reply::Rejected(refuse(reason)))
            }
            _ => None,
        }
    }
}

impl World {
    fn send(&mut self, request: Request) -> Reply {
        let sites = &mut self.sites;
        self.network.send(request, |request| request.arrive(sites))
    }

    fn deliver_held(&mut self) -> Vec<Reply> {
        let sites = &mut self.sites;
        self.network.deliver(|request| request.arrive(sites))
    }
}

impl Request {
    fn arrive(&self, sites: &mut BTreeMap<Target, Site>) -> Reply {
        match sites.get_mut(&self.target) {
            Some(site) => site.apply(&self.call, &self.verb, &self.precondition, self.split),
            None => Reply::Rejected(refuse(format!("no target {}", self.target))),
        }
    }
}

impl fmt::Debug for MemoryDeployer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDeployer").finish_non_exhaustive()
    }
}

#[async_trait]
impl Deployer for MemoryDeployer {
    fn capabilities(&self, _target: &Target) -> DeployerCapabilities {
        self.capabilities.clone()
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        self.read("deployer.observe", target, |site| Ok(site.observe()))
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        self.read("deployer.watch", target, |site| {
            let watch: WorkloadWatch = Box::pin(site.watch());
            Ok(watch)
        })
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        self.read("deployer.snapshot", target, |site| {
            site.snapshot().ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "deployer.snapshot", "nothing is live").with("target", target)
            })
        })
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        if let Some(refusal) = self.refusal(verb) {
            return refusal;
        }
        lock(&self.world).send(Request {
            call: call.clone(),
            target: target.clone(),
            verb: verb.clone(),
            precondition: precondition.clone(),
            split: self.capabilities.split,
        })
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        let sealed = self.read("deployer.seal", target, |site| Ok(site.seal(stamp)));
        sealed.unwrap_or_else(|error| Seal::Unreachable { cause: error.to_string() })
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        let probed = self.read("deployer.probe", target, |site| Ok(site.probe(key)));
        probed.unwrap_or_else(|error| Probe::Unreadable { cause: error.to_string() })
    }
}
