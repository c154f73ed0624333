//! One workload: what its slots hold, who gets the traffic, its fence and the record of accepted mutations.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};

use super::{in_place, verbs};
use crate::memory::feed::{Feed, Watch};
use crate::memory::fence::{Admission, FenceBook};
use crate::memory::lock;
use crate::model::{
    ArtifactId, Fault, IdempotencyKey, Precondition, Release, Rollout, SlotName, SlotState, Stamp, Verb,
    Weights, Workload, WorkloadSnapshot,
};
use crate::port::{Call, Conflict, Probe, Receipt, Reply, Seal, TrafficSplit, WorkloadChange};

/// How instances of an artifact behave once they are started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// They are ready at once.
    #[default]
    Ready,
    /// They are not ready until the test says so.
    Slow,
    /// They are never ready, for this reason.
    Broken(Fault),
    /// They are ready at once and then fail.
    FailsOnceReady(Fault),
    /// They fail as soon as they get traffic.
    FailsUnderTraffic(Fault),
}

/// A mutation that a target accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedVerb {
    /// Its stamp.
    pub stamp: Stamp,
    /// Its key.
    pub key: IdempotencyKey,
    /// What was asked.
    pub verb: Verb,
    /// What it did.
    pub effect: VerbEffect,
}

/// Whether an accepted verb found something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerbEffect {
    /// It changed the workload.
    Changed,
    /// The workload already was as asked.
    AlreadySo,
}

/// What can be changed by a verb. Compared as a whole to tell whether a verb did anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) slots: BTreeMap<SlotName, Option<SlotState>>,
    pub(super) live: Option<SlotName>,
    pub(super) weights: Option<Weights>,
    pub(super) rollout: Rollout,
}

/// What identifies a layout to somebody who looks for edits by others: readiness comes and goes by itself.
type Outline = (Option<SlotName>, Option<Weights>, BTreeMap<SlotName, ArtifactId>);

pub(super) struct Site {
    layout: Layout,
    home: Option<SlotName>,
    notices: Vec<String>,
    fence: FenceBook,
    /// The outline after the last accepted mutation.
    known: Outline,
    accepted: Vec<AcceptedVerb>,
    behaviours: Behaviours,
    feed: Feed,
}

/// How each artifact behaves. Shared by all workloads of a deployer.
#[derive(Debug, Clone, Default)]
pub(super) struct Behaviours(Arc<Mutex<BTreeMap<ArtifactId, Behaviour>>>);

impl Behaviours {
    pub(super) fn set(&self, artifact: ArtifactId, behaviour: Behaviour) {
        lock(&self.0).insert(artifact, behaviour);
    }

    fn of(&self, release: &Release) -> Behaviour {
        lock(&self.0).get(&release.artifact.id()).cloned().unwrap_or_default()
    }

    /// Starts instances, as far as can be seen before any time passes.
    pub(super) fn start(&self, release: &Release, replicas: NonZeroU16) -> SlotState {
        let ready = match self.of(release) {
            Behaviour::Slow | Behaviour::Broken(_) => 0,
            _ => replicas.get(),
        };
        SlotState { release: release.clone(), replicas, ready, faults: Vec::new() }
    }
}

impl Layout {
    pub(super) fn weight(&self, slot: &SlotName) -> u8 {
        self.weights.as_ref().map_or(0, |weights| weights.of(slot))
    }

    pub(super) fn held(&self, slot: &SlotName) -> Option<&SlotState> {
        self.slots.get(slot)?.as_ref()
    }

    fn artifact(&self, slot: &SlotName) -> Option<ArtifactId> {
        Some(self.held(slot)?.release.artifact.id())
    }

    fn outline(&self) -> Outline {
        let artifacts = self.slots.keys().filter_map(|slot| Some((slot.clone(), self.artifact(slot)?)));
        (self.live.clone(), self.weights.clone(), artifacts.collect())
    }

    fn held_mut(&mut self, slot: &SlotName) -> &mut SlotState {
        let held = self.slots.get_mut(slot).and_then(Option::as_mut);
        held.unwrap_or_else(|| panic!("slot {slot} is empty"))
    }

    fn text(&self) -> String {
        let name = |held: &SlotState| held.release.to_string();
        let slots = self.slots.iter().map(|(slot, held)| {
            let held = held.as_ref().map_or_else(|| "empty".to_owned(), name);
            format!("{slot}: {held}")
        });
        slots.collect::<Vec<_>>().join(", ")
    }
}

impl Site {
    pub(super) fn empty(slots: impl IntoIterator<Item = SlotName>, behaviours: Behaviours) -> Self {
        let layout = Layout {
            slots: slots.into_iter().map(|slot| (slot, None)).collect(),
            live: None,
            weights: None,
            rollout: Rollout::Active,
        };
        Self {
            known: layout.outline(),
            layout,
            home: None,
            notices: Vec::new(),
            fence: FenceBook::default(),
            accepted: Vec::new(),
            behaviours,
            feed: Feed::default(),
        }
    }

    pub(super) fn set_home(&mut self, slot: &SlotName) {
        self.home = Some(slot.clone());
    }

    pub(super) fn notice(&mut self, notice: &str) {
        self.notices.push(notice.to_owned());
    }

    pub(super) fn observe(&self) -> Workload {
        let Layout { slots, live, weights, rollout } = self.layout.clone();
        let (stamp, home, notices) = (self.fence.current(), self.home.clone(), self.notices.clone());
        Workload { slots, live, weights, rollout, stamp, home, notices }
    }

    pub(super) fn snapshot(&self) -> Option<WorkloadSnapshot> {
        let slot = self.layout.live.clone()?;
        let held = self.layout.held(&slot)?;
        Some(WorkloadSnapshot {
            release: held.release.clone(),
            replicas: held.replicas,
            backend: serde_json::Value::Null,
            slot,
        })
    }

    pub(super) fn watch(&mut self) -> Watch {
        let filled = || self.layout.slots.iter().filter_map(|(slot, held)| Some((slot, held.as_ref()?)));
        let states = filled().map(|(slot, held)| instances(slot, Some(held)));
        let faults = filled().flat_map(|(slot, held)| held.faults.iter().map(|fault| faulty(slot, fault)));
        let first = states.chain(faults).collect();
        self.feed.open(first)
    }

    pub(super) fn apply(
        &mut self,
        call: &Call,
        verb: &Verb,
        precondition: &Precondition,
        split: TrafficSplit,
    ) -> Reply {
        match self.fence.admit(call) {
            Err(conflict) => return Reply::Conflict(conflict),
            Ok(Admission::Repeated(receipt)) => return Reply::Applied(receipt),
            Ok(Admission::Fresh) => {}
        }
        if let Err(conflict) = self.check(precondition) {
            return Reply::Conflict(conflict);
        }
        let after = match split {
            TrafficSplit::Percent | TrafficSplit::Switch => verbs::after,
            TrafficSplit::Instances => in_place::after,
            TrafficSplit::AllInstances => in_place::after_at_once,
        };
        let after = match after(&self.layout, verb, &self.behaviours) {
            Ok(after) => after,
            Err(rejection) => return Reply::Rejected(rejection),
        };
        let receipt = Receipt(format!("{verb} at {}", call.stamp));
        self.fence.accept(call, receipt.clone());
        let effect = if after == self.layout { VerbEffect::AlreadySo } else { VerbEffect::Changed };
        self.accepted.push(AcceptedVerb {
            stamp: call.stamp,
            key: call.key.clone(),
            verb: verb.clone(),
            effect,
        });
        self.become_layout(after);
        self.known = self.layout.outline();
        Reply::Applied(receipt)
    }

    fn check(&self, precondition: &Precondition) -> Result<(), Conflict> {
        let drifted = |expected: String, found: Option<ArtifactId>| Conflict::Drifted {
            expected,
            found: found.map_or_else(|| "nothing".to_owned(), |found| found.to_string()),
        };
        let live = self.layout.live.as_ref().and_then(|slot| self.layout.artifact(slot));
        if !precondition.live.is_empty()
            && !live.as_ref().is_some_and(|live| precondition.live.contains(live))
        {
            let wanted: Vec<&str> = precondition.live.iter().map(ArtifactId::as_str).collect();
            return Err(drifted(format!("{} live", wanted.join(" or ")), live));
        }
        match &precondition.holds {
            Some((slot, artifact)) if self.layout.artifact(slot).as_ref() != Some(artifact) => {
                Err(drifted(format!("{artifact} in slot {slot}"), self.layout.artifact(slot)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn seal(&mut self, stamp: Stamp) -> Seal {
        self.fence.seal(stamp)
    }

    pub(super) fn probe(&self, key: &IdempotencyKey) -> Probe {
        match self.fence.receipt(key) {
            Some(receipt) => Probe::Applied(receipt),
            None if self.layout.outline() == self.known => Probe::NotApplied,
            None => Probe::Drifted { found: self.layout.text() },
        }
    }

    pub(super) fn accepted(&self) -> &[AcceptedVerb] {
        &self.accepted
    }

    pub(super) fn install(&mut self, slot: &SlotName, release: &Release, replicas: NonZeroU16) {
        let mut after = self.layout.clone();
        let held =
            SlotState { release: release.clone(), replicas, ready: replicas.get(), faults: Vec::new() };
        after.slots.insert(slot.clone(), Some(held));
        after.live = Some(slot.clone());
        after.weights = Some(Weights::all(slot.clone()));
        self.become_layout(after);
        self.known = self.layout.outline();
    }

    pub(super) fn set_ready(&mut self, slot: &SlotName, ready: u16) {
        let mut after = self.layout.clone();
        let held = after.held_mut(slot);
        held.ready = ready.min(held.replicas.get());
        self.become_layout(after);
    }

    pub(super) fn report(&mut self, slot: &SlotName, fault: Fault) {
        self.feed.publish(&faulty(slot, &fault));
        self.layout.held_mut(slot).faults.push(fault);
    }

    pub(super) fn heal(&mut self, slot: &SlotName) {
        let mut after = self.layout.clone();
        let held = after.held_mut(slot);
        held.ready = held.replicas.get();
        held.faults.clear();
        self.become_layout(after);
    }

    pub(super) fn edit(&mut self, slot: &SlotName, release: &Release) {
        self.layout.held_mut(slot).release = release.clone();
    }

    pub(super) fn break_watches(&mut self) {
        self.feed.cut();
    }

    /// Moves to a layout, tells the watches what changed, and lets instances fail that fail by nature.
    fn become_layout(&mut self, after: Layout) {
        let before = std::mem::replace(&mut self.layout, after);
        for (slot, held) in &self.layout.slots {
            if before.held(slot) != held.as_ref() {
                self.feed.publish(&instances(slot, held.as_ref()));
            }
        }
        let slots: Vec<SlotName> = self.layout.slots.keys().cloned().collect();
        for slot in slots {
            if let Some(fault) = self.failure(&slot, &before) {
                self.report(&slot, fault);
                self.layout.held_mut(&slot).ready = 0;
                self.feed.publish(&instances(&slot, self.layout.held(&slot)));
            }
        }
    }

    /// Returns how the instances of a slot fail now, given how it was before.
    fn failure(&self, slot: &SlotName, before: &Layout) -> Option<Fault> {
        let held = self.layout.held(slot)?;
        let fresh = before.held(slot).is_none_or(|old| old.release != held.release);
        let got_traffic = before.weight(slot) == 0 && self.layout.weight(slot) > 0;
        match self.behaviours.of(&held.release) {
            Behaviour::Broken(fault) | Behaviour::FailsOnceReady(fault) => fresh.then_some(fault),
            Behaviour::FailsUnderTraffic(fault) => got_traffic.then_some(fault),
            Behaviour::Ready | Behaviour::Slow => None,
        }
    }
}

fn instances(slot: &SlotName, held: Option<&SlotState>) -> WorkloadChange {
    WorkloadChange::Instances {
        slot: slot.clone(),
        replicas: held.map_or(0, |held| held.replicas.get()),
        ready: held.map_or(0, |held| held.ready),
    }
}

fn faulty(slot: &SlotName, fault: &Fault) -> WorkloadChange {
    WorkloadChange::Faulty { slot: slot.clone(), fault: fault.clone() }
}
