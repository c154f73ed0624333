//! A target as it was read in one go: its two Deployments, its route and its pods.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use hotfix_core::model::{
    Fault, Held, Layout, Period, ReadyInstances, Rollout, SlotName, SlotState, Weights, Workload,
    WorkloadSnapshot,
};
use serde_json::Value;

use crate::fence::{self, Note};
use crate::names;
use crate::object::ObjectRef;
use crate::pod::Pod;
use crate::presumed;
use crate::release::{self, Mark, Unnamed};
use crate::rollout::Rolled;
use crate::runs::Runs;
use crate::shape::{self, Shape};
use crate::slot::{Side, Slots};
use crate::traffic::dial::Dial;
use crate::traffic::{NotUnderstood, Objections, Route, Uptake};

/// One object with its fence.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) reference: ObjectRef,
    pub(crate) value: Value,
    /// The text of the fence and what it says; `None` on an object that was never adopted.
    pub(crate) fence: Option<(String, Note)>,
}

impl Object {
    /// Returns what the fences say that some objects have.
    pub(crate) fn notes(objects: &[Self]) -> Vec<&Note> {
        objects.iter().filter_map(|object| Some(&object.fence.as_ref()?.1)).collect()
    }
}

/// Where a patch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Slot(Side),
    Route,
    /// Only where one follows the live slot.
    Autoscaler,
}

impl Place {
    /// What every verb writes first.
    pub(crate) const ANCHOR: Self = Self::Route;
    pub(crate) const ALL: [Self; 4] =
        [Self::Route, Self::Slot(Side::Main), Self::Slot(Side::Hotfix), Self::Autoscaler];
}

/// What to make of a slot whose release cannot be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    Strict,
    /// It holds nothing that matters: a restore replaces it whatever it is.
    Lenient,
}

impl Naming {
    /// Returns what each slot is to hold.
    pub(crate) fn held<E>(
        self,
        slots: &Slots,
        held: impl Fn(Side) -> Result<Option<Held>, E>,
    ) -> Result<BTreeMap<SlotName, Option<Held>>, E> {
        let named = |side| match (held(side), self) {
            (Err(_), Self::Lenient) => Ok((slots.name(side).clone(), None)),
            (held, _) => Ok((slots.name(side).clone(), held?)),
        };
        Side::BOTH.into_iter().map(named).collect()
    }
}

/// A target as it was read.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) slots: Slots,
    pub(crate) shape: Shape,
    pub(crate) main: Object,
    /// `None` until the target is adopted.
    pub(crate) hotfix: Option<Object>,
    pub(crate) route: Object,
    /// What follows the live slot.
    pub(crate) autoscaler: Option<Object>,
    /// The selector of the Service.
    pub(crate) selector: Value,
    pub(crate) traffic: Box<dyn Route>,
    /// Where it is shared by numbers of pods.
    pub(crate) dial: Option<Dial>,
    /// All pods of both slots, or one that can take traffic where no other matters.
    pub(crate) pods: Vec<Pod>,
    pub(crate) patience: Patience,
    /// What stood against the route before the change that is taken back, if it is known.
    pub(crate) before: Objections,
}

/// How much longer pods are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Left,
    /// What can be done without them is done now.
    Over,
}

/// Why what was read does not make a workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    Unnamed(#[from] Unnamed),
    #[error("{0}")]
    Route(Box<NotUnderstood>),
    #[error("the annotation hotfix.dev/live of {deployment} is {value:?}; the slots are main and hotfix")]
    Live { deployment: Box<ObjectRef>, value: String },
}

impl Sight {
    pub(crate) fn object(&self, place: Place) -> Option<&Object> {
        match place {
            Place::Slot(Side::Main) => Some(&self.main),
            Place::Slot(Side::Hotfix) => self.hotfix.as_ref(),
            Place::Route => Some(&self.route),
            Place::Autoscaler => self.autoscaler.as_ref(),
        }
    }

    /// Returns what an object is called; of those that a target has to have, the copy may be gone.
    pub(crate) fn reference(&self, place: Place) -> ObjectRef {
        let copy = || shape::copy_of(&self.main.reference);
        self.object(place).map_or_else(copy, |object| object.reference.clone())
    }

    pub(crate) fn deployment(&self, side: Side) -> Option<&Object> {
        self.object(Place::Slot(side))
    }

    /// Returns an object that somebody deleted and that is there only until its finalizers are done.
    pub(crate) fn going(&self) -> Option<&Object> {
        let objects = Place::ALL.into_iter().filter_map(|place| self.object(place));
        objects.into_iter().find(|object| object.value["metadata"]["deletionTimestamp"].is_string())
    }

    /// Returns the fences that there are, with where they are.
    pub(crate) fn notes(&self) -> Vec<(Place, &Note)> {
        let note = |place| Some((place, &self.object(place)?.fence.as_ref()?.1));
        Place::ALL.into_iter().filter_map(note).collect()
    }

    /// Returns what a slot holds.
    pub(crate) fn held(&self, side: Side) -> Result<Option<Held>, Unnamed> {
        let Some(object) = self.deployment(side) else { return Ok(None) };
        let name = object.reference.to_string();
        let mark = Mark::read(&object.value, &name)?;
        let replicas = NonZeroU16::new(replicas(&object.value));
        match (mark, replicas) {
            (Mark::Empty, _) | (_, None) => Ok(None),
            (mark, Some(replicas)) => {
                let container = self.shape.container.as_ref().map_err(Unnamed::clone)?;
                let release = release::identify(&object.value, &name, mark, container, &self.pods(side))?;
                Ok(Some(Held { release, replicas }))
            }
        }
    }

    /// Returns the key of the retirement that emptied a slot the last time.
    pub(crate) fn emptied_by(&self, slot: &SlotName) -> Option<&str> {
        let object = self.deployment(self.slots.side(slot)?)?;
        object.value.pointer("/metadata/annotations")?.get(names::EMPTIED)?.as_str()
    }

    /// Returns the slot that is live: the one that is marked, or the only one there was.
    pub(crate) fn live(&self) -> Result<Option<Side>, Unreadable> {
        let mark = self.main.value.pointer("/metadata/annotations").and_then(|all| all.get(names::LIVE));
        match mark.and_then(Value::as_str) {
            None => Ok((replicas(&self.main.value) > 0).then_some(Side::Main)),
            Some(text) => {
                let side = SlotName::new(text).ok().and_then(|slot| self.slots.side(&slot));
                let unknown = || {
                    let deployment = self.main.reference.clone().into();
                    Unreadable::Live { deployment, value: text.to_owned() }
                };
                side.map(Some).ok_or_else(unknown)
            }
        }
    }

    pub(crate) fn weights(&self) -> Result<Weights, Unreadable> {
        self.traffic.read(&self.route.value).map_err(|error| Unreadable::Route(error.into()))
    }

    /// Tells whether the route, as it was read now, is in force.
    pub(crate) fn uptake(&self, route: &Value) -> Uptake {
        self.traffic.uptake(route, &self.before)
    }

    /// Returns whether all the traffic is at the main Deployment, and that is live.
    pub(crate) fn is_home(&self) -> Result<bool, Unreadable> {
        let main = Weights::all(self.slots.main.clone());
        Ok(self.live()? == Some(Side::Main) && self.weights()? == main)
    }

    /// Returns the part of the workload that verbs determine.
    pub(crate) fn layout(&self, naming: Naming) -> Result<Layout, Unreadable> {
        let slots = naming.held(&self.slots, |side| self.held(side))?;
        let weights = match naming {
            Naming::Lenient => self.weights().ok(),
            Naming::Strict => Some(self.weights()?),
        };
        Ok(Layout {
            slots,
            live: self.live()?.map(|side| self.slots.name(side).clone()),
            weights,
            rollout: self.rollout(),
        })
    }

    /// Returns the same as a restore of a snapshot has it.
    pub(crate) fn layout_before(&self, snapshot: &WorkloadSnapshot) -> Result<Layout, Unreadable> {
        let (layout, live) = (self.layout(Naming::Lenient)?, self.live()?.unwrap_or(Side::Main));
        let release = || {
            let Some(object) = self.deployment(live) else { return Some(snapshot.release.clone()) };
            let container = self.container(snapshot)?;
            let template = object.value.pointer("/spec/template");
            presumed::same_image(snapshot, template, &container).or_else(|| {
                let name = object.reference.to_string();
                let mark = Mark::read(&object.value, &name).ok()?;
                release::identify(&object.value, &name, mark, &container, &self.pods(live)).ok()
            })
        };
        Ok(presumed::live(layout, self.slots.name(live), release))
    }

    /// Returns whether a slot in which nobody staged anything has the image of a snapshot, so that it needs no mark.
    pub(crate) fn is_plain(&self, side: Side, snapshot: &WorkloadSnapshot) -> bool {
        let Some(object) = self.deployment(side) else { return false };
        let is_unmarked = Mark::read(&object.value, "").is_ok_and(|mark| mark == Mark::Absent);
        let template = object.value.pointer("/spec/template");
        let container = self.container(snapshot).filter(|_| is_unmarked);
        container.is_some_and(|name| presumed::same_image(snapshot, template, &name).is_some())
    }

    /// Returns the container that carries the release, as it is or as it was when a snapshot was taken.
    pub(crate) fn container(&self, snapshot: &WorkloadSnapshot) -> Option<String> {
        self.shape.container.as_ref().ok().cloned().or_else(|| presumed::container(snapshot))
    }

    /// Returns the workload as the port has it.
    pub(crate) fn workload(&self) -> Result<Workload, Unreadable> {
        let Layout { slots, live, weights, rollout } = self.layout(Naming::Strict)?;
        let state = |(slot, held): (SlotName, Option<Held>)| {
            let state = held.zip(self.slots.side(&slot)).map(|(held, side)| self.state(side, held));
            (slot, state)
        };
        let notes: Vec<&Note> = self.notes().into_iter().map(|(_, note)| note).collect();
        let stamp = fence::highest(&notes);
        // Whatever deploys the service outside of a hotfix knows this Deployment and no other.
        let home = Some(self.slots.main.clone());
        let (slots, notices) = (slots.into_iter().map(state).collect(), Vec::new());
        Ok(Workload { slots, live, weights, rollout, stamp, home, notices })
    }

    /// Returns how many pods of what each slot holds can take traffic.
    pub(crate) fn ready_instances(&self) -> ReadyInstances {
        Side::BOTH.into_iter().map(|side| (self.slots.name(side).clone(), self.ready(side))).collect()
    }

    /// Returns how many pods of what a slot holds can take traffic.
    pub(crate) fn ready(&self, side: Side) -> u16 {
        ready(&self.pods(side), &self.runs(side))
    }

    /// Returns the name of a pod of what a slot holds that can take traffic.
    pub(crate) fn ready_pod(&self, side: Side) -> Option<&str> {
        let (runs, pods) = (self.runs(side), self.pods(side));
        pods.into_iter().find(|pod| takes_traffic(pod, &runs)).map(|pod| pod.name.as_str())
    }

    /// Returns whether a slot has pods that nobody has begun to end.
    pub(crate) fn lingers(&self, side: Side) -> bool {
        self.pods(side).iter().any(|pod| !pod.is_going)
    }

    /// Returns whether a slot still has pods of what it held before that nobody has begun to end.
    pub(crate) fn is_mixed(&self, side: Side) -> bool {
        let runs = self.runs(side);
        self.pods(side).iter().any(|pod| !pod.is_going && !runs.is_in(pod))
    }

    /// Returns whether something is wrong with what a slot holds, or with a pod of it.
    pub(crate) fn is_ill(&self, side: Side) -> bool {
        let Some(deployment) = self.deployment(side) else { return false };
        let pods = self.pods(side);
        !deployment_faults(&deployment.value).is_empty()
            || current(&pods, &self.runs(side)).any(|pod| !pod.faults().is_empty())
    }

    /// Returns whether a pod belongs to a slot and runs what that holds now.
    pub(crate) fn has_current_pod(&self, side: Side, name: &str) -> bool {
        current(&self.pods(side), &self.runs(side)).any(|pod| pod.name == name)
    }

    fn rollout(&self) -> Rollout {
        let paused = |side| self.deployment(side).is_some_and(|object| is_paused(&object.value));
        if Side::BOTH.into_iter().any(paused) { Rollout::Paused } else { Rollout::Active }
    }

    fn state(&self, side: Side, held: Held) -> SlotState {
        let Held { release, replicas } = held;
        let deployment = self.deployment(side);
        let (runs, pods) = (self.runs(side), self.pods(side));
        let mut faults: Vec<Fault> =
            deployment.map(|object| deployment_faults(&object.value)).unwrap_or_default();
        faults.extend(current(&pods, &runs).flat_map(Pod::faults));
        let rolled = deployment.map_or(Rolled::Whole, |object| Rolled::read(&object.value));
        faults.extend(deployment.and_then(|object| rolled.fault(&object.reference)));
        SlotState { release, replicas, ready: rolled.serving(&pods, &runs).min(replicas.get()), faults }
    }

    fn runs(&self, side: Side) -> Runs {
        runs(self.deployment(side).map(|object| &object.value))
    }

    fn pods(&self, side: Side) -> Vec<&Pod> {
        let name = self.deployment(side).map(|object| object.reference.name.as_str());
        self.pods.iter().filter(|pod| name.is_some() && pod.deployment.as_deref() == name).collect()
    }
}

/// The pods that run what a slot holds.
fn current<'a>(pods: &[&'a Pod], runs: &Runs) -> impl Iterator<Item = &'a Pod> {
    pods.iter().copied().filter(|pod| runs.is_in(pod))
}

/// How many pods of what a slot holds can take traffic.
pub(crate) fn ready(pods: &[&Pod], runs: &Runs) -> u16 {
    let ready = pods.iter().filter(|pod| takes_traffic(pod, runs)).count();
    u16::try_from(ready).unwrap_or(u16::MAX)
}

fn takes_traffic(pod: &Pod, runs: &Runs) -> bool {
    runs.is_in(pod) && pod.is_ready && !pod.is_going
}

/// What the pods have in common that a Deployment's template makes.
pub(crate) fn runs(deployment: Option<&Value>) -> Runs {
    Runs::Labelled(deployment.and_then(artifact_label).map(str::to_owned))
}

/// The label of the pods that a Deployment's template makes.
pub(crate) fn artifact_label(deployment: &Value) -> Option<&str> {
    deployment.pointer("/spec/template/metadata/labels")?.get(names::ARTIFACT)?.as_str()
}

/// How many pods a Deployment wants.
pub(crate) fn replicas(deployment: &Value) -> u16 {
    let replicas = deployment.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    u16::try_from(replicas).unwrap_or(u16::MAX)
}

pub(crate) fn is_paused(deployment: &Value) -> bool {
    deployment.pointer("/spec/paused").is_some_and(|paused| *paused == true)
}

/// What the controller says is wrong with a Deployment as a whole: pods that it may not create, a deadline that
/// passed.
pub(crate) fn deployment_faults(deployment: &Value) -> Vec<Fault> {
    let instance =
        deployment.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let conditions = deployment.pointer("/status/conditions").and_then(Value::as_array);
    let fault = |condition: &Value| {
        let text = |name: &str| condition[name].as_str().unwrap_or_default();
        match (text("type"), text("status"), text("reason")) {
            ("ReplicaFailure", "True", reason) => {
                let reason = format!("{reason}: {}", text("message"));
                Some(Fault::CannotStart { instance: instance.clone(), reason })
            }
            ("Progressing", "False", "ProgressDeadlineExceeded") => {
                let seconds = deployment.pointer("/spec/progressDeadlineSeconds").and_then(Value::as_u64);
                let after = Period::from_secs(seconds.unwrap_or(600));
                Some(Fault::NeverReady { instance: instance.clone(), after })
            }
            _ => None,
        }
    };
    // Conditions of an earlier generation say nothing about this one.
    let number = |path| deployment.pointer(path).and_then(Value::as_u64);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Vec::new();
    }
    conditions.into_iter().flatten().filter_map(fault).collect()
}
