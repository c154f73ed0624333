//! A release in a slot: its replicas, which of them are ready, and what they counted.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use hotfix_core::model::{Artifact, Fault, Release};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::instances::Tokens;
use super::member::{Member, MemberId, News, Update};
use super::report::{InstanceReport, SlotReport};
use super::routing::UnitKey;
use super::series::Series;
use crate::layout::TargetFolder;
use crate::manifest::Manifest;
use crate::process::Instance;
use crate::proxy::{Counters, CountersView, Route, Upstream};
use crate::state::Filling;

/// What a unit needs to start its replicas.
#[derive(Debug, Clone)]
pub(crate) struct Means {
    pub(crate) folder: TargetFolder,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) updates: UnboundedSender<Update>,
}

/// A release in a slot.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) number: u64,
    pub(crate) key: UnitKey,
    /// What its slot is to hold, or was when it still had traffic.
    pub(crate) filling: Filling,
    manifest: Result<Arc<Manifest>, String>,
    members: BTreeMap<u16, MemberState>,
    /// Out of the routes, to be stopped.
    surplus: Vec<MemberState>,
    /// Counts the requests that no replica could take.
    unserved: Arc<Counters>,
    /// Replicas that ended: what they counted last is still to be read.
    past: VecDeque<Arc<Upstream>>,
    means: Means,
}

/// What is known of one replica.
#[derive(Debug)]
struct MemberState {
    stop: CancellationToken,
    process: Option<ProcessState>,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct ProcessState {
    upstream: Arc<Upstream>,
    pid: i32,
    ready: bool,
    restarts: u32,
}

/// How many ended replicas keep their counters.
const PAST_KEPT: usize = 32;

impl Unit {
    pub(crate) fn new(number: u64, key: UnitKey, filling: Filling, means: Means) -> Self {
        let manifest = read_manifest(&means.folder, &filling.release);
        Self {
            number,
            key,
            filling,
            manifest,
            members: BTreeMap::new(),
            surplus: Vec::new(),
            unserved: Arc::default(),
            past: VecDeque::new(),
            means,
        }
    }

    /// Starts what is missing, taking over `survivors` first, and takes what is too much out of [`Unit::route`].
    pub(crate) fn scale(&mut self, survivors: &mut Vec<Instance>, tasks: &mut JoinSet<()>) {
        self.surplus.extend(self.members.split_off(&self.replicas()).into_values());
        if self.manifest.is_err() {
            // Somebody may have mended the folder since.
            self.manifest = read_manifest(&self.means.folder, &self.filling.release);
        }
        let Ok(manifest) = &self.manifest else { return };
        for index in
            (0..self.replicas()).filter(|index| !self.members.contains_key(index)).collect::<Vec<_>>()
        {
            let adopted = survivors.iter().position(|instance| {
                instance.index == index
                    && (&instance.slot, instance.release.artifact.id()) == (&self.key.0, self.key.1.clone())
            });
            let member = self.member(index, Arc::clone(manifest));
            self.members.insert(index, MemberState { stop: member.stop.clone(), process: None, fault: None });
            tasks.spawn(member.run(adopted.map(|position| survivors.swap_remove(position))));
        }
    }

    /// Takes over a newer filling of the same release. Where it asks for that, faulty replicas are taken out, to be
    /// started anew.
    pub(crate) fn refill(&mut self, filling: &Filling) {
        if filling.renewed > self.filling.renewed {
            let (faulty, sound) =
                std::mem::take(&mut self.members).into_iter().partition(|(_, member)| member.fault.is_some());
            let faulty: BTreeMap<u16, MemberState> = faulty;
            self.members = sound;
            self.surplus.extend(faulty.into_values());
        }
        self.filling = filling.clone();
    }

    /// Drains and stops the replicas that [`Unit::scale`] took out, once the routes are in effect.
    pub(crate) fn dismiss_surplus(&mut self) {
        for member in self.surplus.drain(..) {
            member.stop.cancel();
            if let Some(process) = member.process {
                remember(&mut self.past, process.upstream);
            }
        }
    }

    /// Drains and stops every replica.
    pub(crate) fn retire(self) {
        for member in self.surplus.iter().chain(self.members.values()) {
            member.stop.cancel();
        }
    }

    /// How many replicas are looked after, stopped ones not counted.
    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    /// Takes in news of a replica; the fault in it, if any, is returned to be told on.
    pub(crate) fn take_in(&mut self, index: u16, news: News) -> Option<Fault> {
        let member = self.members.get_mut(&index)?;
        match news {
            News::Started { upstream, pid, restarts } => {
                member.process = Some(ProcessState { upstream, pid, ready: false, restarts });
                None
            }
            News::Ready => {
                member.fault = None;
                if let Some(process) = &mut member.process {
                    process.ready = true;
                }
                None
            }
            News::Faulty(fault) => {
                if let Some(process) = &mut member.process {
                    process.ready = false;
                }
                if matches!(fault, Fault::Exited { .. } | Fault::CannotStart { .. })
                    && let Some(process) = member.process.take()
                {
                    remember(&mut self.past, process.upstream);
                }
                member.fault = Some(fault.clone());
                Some(fault)
            }
            News::Gone => None,
        }
    }

    fn replicas(&self) -> u16 {
        self.filling.replicas.get()
    }

    pub(crate) fn ready(&self) -> u16 {
        let ready = self.processes().filter(|process| process.ready).count();
        u16::try_from(ready).unwrap_or(u16::MAX)
    }

    /// The unit's share of the traffic and who takes it.
    pub(crate) fn route(&self, weight: u8) -> Route {
        let ready = self.processes().filter(|process| process.ready);
        let upstreams = ready.map(|process| Arc::clone(&process.upstream)).collect();
        Route::new(self.key.0.clone(), weight, upstreams, Arc::clone(&self.unserved))
    }

    pub(crate) fn report(&self) -> SlotReport {
        let unusable = self
            .manifest
            .as_ref()
            .err()
            .map(|reason| Fault::CannotStart { instance: self.key.0.to_string(), reason: reason.clone() });
        let faults = self.members.values().filter_map(|member| member.fault.clone());
        SlotReport {
            artifact: self.key.1.clone(),
            replicas: self.replicas(),
            ready: self.ready(),
            faults: unusable.into_iter().chain(faults).collect(),
            instances: self.processes().map(ProcessState::report).collect(),
        }
    }

    /// All that was counted for this unit and is still known.
    pub(crate) fn total(&self) -> CountersView {
        let mut total = CountersView::default();
        self.series().for_each(|series| total.add(&series.view()));
        total
    }

    /// Everything that was counted for this unit.
    pub(crate) fn series(&self) -> impl Iterator<Item = Series> {
        let present = self.processes().map(|process| &process.upstream);
        let (slot, version) = (&self.key.0, &self.filling.release.version);
        let unserved = Series::unserved(slot, version, self.number, Arc::clone(&self.unserved));
        let served =
            present.chain(&self.past).map(|upstream| Series::served(slot, version, Arc::clone(upstream)));
        served.chain([unserved])
    }

    fn member(&self, index: u16, manifest: Arc<Manifest>) -> Member {
        Member {
            id: MemberId { unit: self.number, index },
            slot: self.key.0.clone(),
            release: self.filling.release.clone(),
            release_folder: release_folder(&self.means.folder, &self.filling.release),
            instances: self.means.folder.instances(),
            manifest,
            tokens: Arc::clone(&self.means.tokens),
            updates: self.means.updates.clone(),
            stop: CancellationToken::new(),
        }
    }

    fn processes(&self) -> impl Iterator<Item = &ProcessState> {
        self.members.values().filter_map(|member| member.process.as_ref())
    }
}

impl ProcessState {
    fn report(&self) -> InstanceReport {
        InstanceReport {
            token: self.upstream.token.clone(),
            pid: self.pid,
            port: self.upstream.address.port(),
            ready: self.ready,
            restarts: self.restarts,
        }
    }
}

fn remember(past: &mut VecDeque<Arc<Upstream>>, upstream: Arc<Upstream>) {
    if past.len() == PAST_KEPT {
        past.pop_front();
    }
    past.push_back(upstream);
}

fn read_manifest(folder: &TargetFolder, release: &Release) -> Result<Arc<Manifest>, String> {
    let manifest = Manifest::read(&release_folder(folder, release));
    manifest.map(Arc::new).map_err(|error| error.to_string())
}

/// A release that is no tree never reaches a state file; its folder would simply not exist.
fn release_folder(folder: &TargetFolder, release: &Release) -> PathBuf {
    match &release.artifact {
        Artifact::Tree(tree) => folder.release(tree),
        Artifact::Image(image) => folder.releases().join(image.digest()),
    }
}
