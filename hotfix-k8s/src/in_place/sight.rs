//! A StatefulSet or a DaemonSet as it was read, with its pods.

use std::num::NonZeroU16;

use hotfix_core::model::{
    Held, Layout, Release, Rollout, SlotName, SlotState, Target, Workload, WorkloadSnapshot,
};
use hotfix_core::port::{Ambiguity, Reply};
use serde_json::Value;
use tokio::time::Instant;

use super::marks::Before;
use super::view::{SetKind, View, partition};
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::fence::Note;
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
pub(crate) struct InPlace {
    pub(crate) slots: Slots,
    pub(crate) object: Object,
    pub(crate) view: View,
    pub(crate) pods: Vec<Pod>,
    pub(crate) container: String,
}

/// Why a StatefulSet or a DaemonSet cannot be handled as it is. The text names the place in it and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    #[error(
        "{object} has {value} at /spec/updateStrategy/type, so somebody replaces its pods by hand; set it to RollingUpdate"
    )]
    OnDelete { object: Box<ObjectRef>, value: String },
    #[error(
        "{object} has {partition} at /spec/updateStrategy/rollingUpdate/partition, so a rollout of somebody is under way; finish it and set it to 0"
    )]
    Partition { object: Box<ObjectRef>, partition: u16 },
    #[error("{object} selects its pods by expressions alone; only /spec/selector/matchLabels is understood")]
    NoLabels { object: Box<ObjectRef> },
}

impl KubernetesDeployer {
    /// Reads the pods of a target and then its object: what the fence says was so when the pods had been read.
    pub(crate) async fn in_place(
        &self,
        target: &Target,
        kind: SetKind,
        deadline: Instant,
    ) -> Result<InPlace, Unusable> {
        let config = self.target(target)?;
        let reference = Names::of(config).main;
        let mut selector = selector(&self.present(&reference, deadline).await?)?;
        loop {
            let mut pods = self.pods(&config.namespace, &selector, deadline).await?;
            let object = self.present(&reference, deadline).await?;
            let now = self::selector(&object)?;
            if now != selector {
                selector = now;
                continue;
            }
            let owner = format!("{}/{}", reference.kind, reference.name);
            pods.retain(|pod| pod.set.as_deref() == Some(&*owner));
            let corrupt = |reason| Unusable::Corrupt { object: reference.clone().into(), reason };
            let view = View::read(kind, &object.value).map_err(corrupt)?;
            let found = object.value.pointer("/spec/template");
            let container = template::container(found, &reference.to_string(), config.container.as_deref());
            let container = container.map_err(crate::shape::Misshapen::from)?;
            return Ok(InPlace { slots: self.slots.clone(), object, view, pods, container });
        }
    }

    async fn present(&self, reference: &ObjectRef, deadline: Instant) -> Result<Object, Unusable> {
        let object = self.fetch(reference, deadline).await?;
        object.ok_or_else(|| Unusable::Missing(reference.clone().into()))
    }
}

/// The label selector of the pods of an object.
pub(crate) fn selector(object: &Object) -> Result<String, Misfit> {
    let labels = object.value.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs = labels.into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?)));
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    if pairs.is_empty() {
        return Err(Misfit::NoLabels { object: object.reference.clone().into() });
    }
    Ok(pairs.join(","))
}

impl InPlace {
    pub(crate) fn note(&self) -> Option<&Note> {
        self.object.fence.as_ref().map(|(_, note)| note)
    }

    /// Returns the live template and how pods are replaced when no rollout is under way.
    pub(crate) fn before(&self) -> Before {
        let before = self.view.marks.as_ref().and_then(|marks| marks.before.clone());
        before.unwrap_or_else(|| {
            let spec = &self.object.value["spec"];
            Before { template: spec["template"].clone(), strategy: spec["updateStrategy"].clone() }
        })
    }

    /// Refuses an object whose pods somebody else replaces, or is about to.
    pub(crate) fn fits(&self) -> Result<(), Misfit> {
        if self.view.template != self.view.live {
            return Ok(());
        }
        let object = || self.object.reference.clone().into();
        let value = &self.object.value["spec"]["updateStrategy"]["type"];
        if value.as_str().is_some_and(|value| value != "RollingUpdate") {
            return Err(Misfit::OnDelete { object: object(), value: value.to_string() });
        }
        match (self.view.kind, partition(&self.object.value)) {
            (SetKind::StatefulSet, partition) if partition > 0 => {
                Err(Misfit::Partition { object: object(), partition })
            }
            _ => Ok(()),
        }
    }

    /// Whether no rollout is under way and no slot but the live one holds anything.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.view.template == self.view.live && self.view.replicas(self.view.live.other()) == 0
    }

    /// Returns what a slot holds.
    pub(crate) fn held(&self, side: Side) -> Result<Option<Held>, Unnamed> {
        let Some(replicas) = NonZeroU16::new(self.view.replicas(side)) else { return Ok(None) };
        Ok(Some(Held { release: self.release(side)?, replicas }))
    }

    fn release(&self, side: Side) -> Result<Release, Unnamed> {
        let staged = self.view.marks.as_ref().and_then(|marks| marks.slots.get(&side));
        match staged {
            Some(staged) if side != self.view.template => Ok(staged.release.clone()),
            staged => {
                let mark = staged.map_or(Mark::Absent, |staged| Mark::Staged(staged.release.clone().into()));
                let name = self.object.reference.to_string();
                release::identify(&self.object.value, &name, mark, &self.container, &self.current(side))
            }
        }
    }

    /// Returns the layout as a restore of a snapshot has it.
    pub(crate) fn layout_before(&self, snapshot: &WorkloadSnapshot) -> Result<Layout, Unnamed> {
        let layout = self.layout(Naming::Lenient)?;
        let release = || {
            let template = &self.before().template;
            presumed::same_image(snapshot, Some(template), &self.container)
                .or_else(|| self.release(self.view.live).ok())
        };
        Ok(presumed::live(layout, self.slots.name(self.view.live), release))
    }

    /// Returns the part of the workload that verbs determine.
    pub(crate) fn layout(&self, naming: Naming) -> Result<Layout, Unnamed> {
        let slots = naming.held(&self.slots, |side| self.held(side))?;
        let View { live, template, total, .. } = self.view;
        let (live, staged) = (self.slots.name(live), self.slots.name(template));
        let weights =
            NonZeroU16::new(total).map(|total| match NonZeroU16::new(self.view.replicas(template)) {
                Some(taken) if live != staged => Layout::shared(live, staged, taken, total),
                _ => hotfix_core::model::Weights::all(live.clone()),
            });
        let live = weights.as_ref().map(|_| live.clone());
        Ok(Layout { slots, live, weights, rollout: Rollout::Active })
    }

    /// Returns the workload as the port has it. It has no home: a pipeline that applies the object replaces what is live
    /// in either slot.
    pub(crate) fn workload(&self) -> Result<Workload, Unnamed> {
        let Layout { slots, live, weights, rollout } = self.layout(Naming::Strict)?;
        let state = |(slot, held): (SlotName, Option<Held>)| {
            let state = held.zip(self.slots.side(&slot)).map(|(held, side)| self.state(side, held));
            (slot, state)
        };
        let stamp = self.note().map(|note| note.stamp).unwrap_or_default();
        Ok(Workload {
            slots: slots.into_iter().map(state).collect(),
            live,
            weights,
            rollout,
            stamp,
            home: None,
            notices: Vec::new(),
        })
    }

    fn state(&self, side: Side, held: Held) -> SlotState {
        let Held { release, replicas } = held;
        let ready = self.view.ready(side, &self.object.value, &self.pods);
        let faults = self.current(side).into_iter().flat_map(Pod::faults).collect();
        SlotState { release, replicas, ready, faults }
    }

    /// Returns the pods that run what a slot holds.
    pub(crate) fn current(&self, side: Side) -> Vec<&Pod> {
        let label = self.view.label(side);
        self.pods.iter().filter(|pod| pod.artifact.as_deref() == label).collect()
    }
}

/// What a caller is told whose time is up in the middle.
pub(crate) const fn too_late() -> Reply {
    Reply::Ambiguous(Ambiguity::Timeout)
}
