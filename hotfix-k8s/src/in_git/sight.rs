//! A Deployment whose image is written in git, its file and its pods, read in one go.

use std::num::NonZeroU16;

use hotfix_core::model::{
    Held, Layout, ReadyInstances, Release, Rollout, SlotName, SlotState, Target, Weights, Workload,
    WorkloadSnapshot,
};
use serde_json::Value;
use tokio::time::Instant;

use super::kept::Kept;
use super::marks::{Marks, Stand};
use super::place::Container;
use super::repository::Committed;
use super::view::View;
use super::written::Written;
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::fence::Note;
use crate::in_place::selector;
use crate::object::ObjectRef;
use crate::pod::Pod;
use crate::presumed;
use crate::release::{self, Mark, Unnamed};
use crate::shape::Names;
use crate::sight::{Naming, Object};
use crate::slot::{Side, Slots};
use crate::template;

/// What was read.
#[derive(Debug)]
pub(crate) struct InGitSight {
    pub(crate) slots: Slots,
    pub(crate) object: Object,
    /// Whether the marks of the view are on the object.
    pub(crate) is_marked: bool,
    pub(crate) view: View,
    pub(crate) committed: Committed,
    pub(crate) pods: Vec<Pod>,
}

impl KubernetesDeployer {
    /// Reads the pods and the file of a target, and then its object: what the fence says was so when they had been read.
    pub(crate) async fn in_git(&self, target: &Target, deadline: Instant) -> Result<InGitSight, Unusable> {
        let config = self.target(target)?;
        let Some(place) = self.repository(target)? else {
            return Err(Unusable::NotConfigured(target.clone()));
        };
        let reference = Names::of(config).main;
        let present = async || {
            let object = self.fetch(&reference, deadline).await?;
            object.ok_or_else(|| Unusable::Missing(reference.clone().into()))
        };
        let before = present().await?;
        let labels = selector(&before)?;
        let found = before.value.pointer("/spec/template");
        let container = template::container(found, &reference.to_string(), config.container.as_deref());
        let container = container.map_err(crate::shape::Misshapen::from)?;
        let named =
            Container { namespace: &reference.namespace, deployment: &reference.name, name: &container };
        let (pods, committed) = tokio::join!(
            self.pods(&config.namespace, &labels, deadline),
            self.committed(place, named, deadline)
        );
        let (mut pods, committed) = (pods?, committed?);
        let object = present().await?;
        if object.value["metadata"]["uid"] != before.value["metadata"]["uid"] {
            return Err(Unusable::Going(reference.into()));
        }
        pods.retain(|pod| pod.deployment.as_deref() == Some(&*reference.name));
        let marks = Marks::read(&object.value)
            .map_err(|reason| Unusable::Corrupt { object: reference.clone().into(), reason })?;
        let is_marked = marks.is_some();
        let marks = marks.unwrap_or_else(|| Marks { live: Side::Main, container, slots: [].into() });
        let view = View::of(marks, &object.value);
        Ok(InGitSight { slots: self.slots.clone(), object, is_marked, view, committed, pods })
    }
}

impl InGitSight {
    pub(crate) fn note(&self) -> Option<&Note> {
        self.object.fence.as_ref().map(|(_, note)| note)
    }

    pub(crate) const fn live(&self) -> Side {
        self.view.marks.live
    }

    /// Returns the slot whose release the file names: the live one, unless it is that of the other.
    pub(crate) fn named(&self) -> Side {
        self.view.marks.named(|written| *written == self.committed.written).unwrap_or(self.live())
    }

    /// Returns whether the Deployment has the image that the file names.
    pub(crate) fn is_applied(&self) -> bool {
        self.committed.written.matches(&self.view.image)
    }

    /// Returns the image of the live slot as the file has it, or had it; `None` when the file is ahead of what runs.
    pub(crate) fn live_written(&self) -> Option<Written> {
        match self.view.staged(self.live()) {
            Some(staged) => Some(staged.written.clone()),
            None => self.is_applied().then(|| self.committed.written.clone()),
        }
    }

    /// Returns what a slot holds: the live one always, the other from its commit on until it is retired.
    pub(crate) fn held(&self, side: Side) -> Result<Option<Held>, Unnamed> {
        let Some(replicas) = NonZeroU16::new(self.view.total) else { return Ok(None) };
        let held = |release| Some(Held { release, replicas });
        match self.view.staged(side) {
            Some(staged) if staged.stand == Stand::Meant && side != self.named() => Ok(None),
            Some(staged) => Ok(held(staged.release.clone())),
            None if side != self.live() => Ok(None),
            None => self.identified().map(held),
        }
    }

    /// Returns the part of the workload that verbs determine.
    pub(crate) fn layout(&self, naming: Naming) -> Result<Layout, Unnamed> {
        let slots = naming.held(&self.slots, |side| self.held(side))?;
        let total = NonZeroU16::new(self.view.total);
        let (live, named) = (self.slots.name(self.live()), self.slots.name(self.named()));
        let weights = total.map(|_| Weights::all(named.clone()));
        Ok(Layout { slots, live: total.map(|_| live.clone()), weights, rollout: Rollout::Active })
    }

    /// Returns the same as a restore of a snapshot has it.
    pub(crate) fn layout_before(&self, snapshot: &WorkloadSnapshot) -> Result<Layout, Unnamed> {
        let layout = self.layout(Naming::Lenient)?;
        Ok(presumed::live(layout, self.slots.name(self.live()), || self.live_release(snapshot)))
    }

    /// Returns what was deployed to the live slot, whether pods of it are there or not.
    fn live_release(&self, snapshot: &WorkloadSnapshot) -> Option<Release> {
        if let Some(staged) = self.view.staged(self.live()) {
            return Some(staged.release.clone());
        }
        // A tag of which no pod tells the digest is the tag that it was.
        let kept = Kept::read(snapshot).ok().flatten();
        if kept.is_some_and(|kept| kept.written.matches(&self.view.image)) {
            return Some(snapshot.release.clone());
        }
        self.identified().ok()
    }

    /// Returns the release of the template by its image and its pods.
    fn identified(&self) -> Result<Release, Unnamed> {
        let (container, name) = (&self.view.marks.container, self.object.reference.to_string());
        let pods = self.current(self.live());
        release::identify(&self.object.value, &name, Mark::Absent, container, &pods)
    }

    /// Returns the workload as the port has it. It has no home: a pipeline that commits another image replaces what is
    /// live in either slot.
    pub(crate) fn workload(&self) -> Result<Workload, Unnamed> {
        let Layout { slots, live, weights, rollout } = self.layout(Naming::Strict)?;
        let state = |(slot, held): (SlotName, Option<Held>)| {
            let state = held.zip(self.slots.side(&slot)).map(|(held, side)| self.state(side, held));
            (slot, state)
        };
        let stamp = self.note().map(|note| note.stamp).unwrap_or_default().max(self.committed.stamp);
        let (slots, notices) = (slots.into_iter().map(state).collect(), Vec::new());
        Ok(Workload { slots, live, weights, rollout, stamp, home: None, notices })
    }

    fn state(&self, side: Side, held: Held) -> SlotState {
        let Held { release, replicas } = held;
        let facts = self.view.facts(side, &self.object.value);
        let faults = self.current(side).into_iter().flat_map(Pod::faults).chain(facts.faults);
        SlotState { release, replicas, ready: self.ready(side), faults: faults.collect() }
    }

    pub(crate) fn ready_instances(&self) -> ReadyInstances {
        Side::BOTH.map(|side| (self.slots.name(side).clone(), self.ready(side))).into()
    }

    /// Returns how many pods of a slot can take traffic.
    fn ready(&self, side: Side) -> u16 {
        let pods: Vec<&Pod> = self.pods.iter().collect();
        crate::sight::ready(&pods, &self.view.runs(side)).min(self.view.total)
    }

    /// Returns the pods that run what a slot holds.
    fn current(&self, side: Side) -> Vec<&Pod> {
        let runs = self.view.runs(side);
        self.pods.iter().filter(|pod| runs.is_in(pod)).collect()
    }

    /// Whether the controller of the Deployment has seen it as it is.
    pub(crate) fn is_observed(&self) -> bool {
        let number = |path| self.object.value.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        number("/status/observedGeneration") >= number("/metadata/generation")
    }

    pub(crate) fn reference(&self) -> &ObjectRef {
        &self.object.reference
    }
}
