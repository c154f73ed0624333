//! What the object alone tells of its slots: how many pods each is to have and how they are recognised.

use hotfix_core::model::ReadyInstances;
use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use kube::core::ApiResource;
use serde_json::Value;

use super::marks::Marks;
use crate::config::WorkloadKind;
use crate::facts::DeploymentFacts;
use crate::pod::{self, Pod};
use crate::rollout::Rolled;
use crate::runs::Runs;
use crate::sight;
use crate::slot::{Side, Slots};

/// A kind whose pods are replaced in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetKind {
    StatefulSet,
    DaemonSet,
}

impl SetKind {
    /// Returns the kind of a target; `None` for Deployments, which have a copy.
    pub(crate) const fn of(workload: WorkloadKind) -> Option<Self> {
        match workload {
            WorkloadKind::Deployment => None,
            WorkloadKind::StatefulSet => Some(Self::StatefulSet),
            WorkloadKind::DaemonSet => Some(Self::DaemonSet),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }

    pub(crate) fn resource(self) -> ApiResource {
        match self {
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
            Self::DaemonSet => ApiResource::erase::<DaemonSet>(&()),
        }
    }
}

/// What an object says of its slots.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) kind: SetKind,
    /// How many pods there are to be.
    pub(crate) total: u16,
    pub(crate) live: Side,
    /// The slot whose release the template is.
    pub(crate) template: Side,
    pub(crate) marks: Option<Marks>,
    /// How many pods the template's slot takes while it is not live.
    taken: u16,
    /// The label of the pods that the template makes.
    label: Option<String>,
    /// How many pods are of the template as far as the controller says; `None`: all.
    updated: Option<u16>,
}

impl View {
    /// Reads an object.
    pub(crate) fn read(kind: SetKind, object: &Value) -> Result<Self, String> {
        let marks = Marks::read(object)?;
        let total = total(kind, object);
        let (live, template) =
            marks.as_ref().map_or((Side::Main, Side::Main), |marks| (marks.live, marks.template));
        let taken = match kind {
            SetKind::StatefulSet => total.saturating_sub(partition(object)),
            SetKind::DaemonSet => {
                let staged = marks.as_ref().and_then(|marks| marks.slots.get(&template)?.taken);
                staged.unwrap_or(total).min(total)
            }
        };
        let label = sight::artifact_label(object).map(str::to_owned);
        Ok(Self { kind, total, live, template, marks, taken, label, updated: updated(kind, object, total) })
    }

    /// Returns how many pods a slot is to have; 0 when it is empty. The live one has all until another is promoted.
    pub(crate) fn replicas(&self, side: Side) -> u16 {
        if side == self.live {
            self.total
        } else if side == self.template {
            self.taken
        } else {
            let is_held = self.marks.as_ref().is_some_and(|marks| marks.slots.contains_key(&side));
            if is_held { self.total } else { 0 }
        }
    }

    /// Returns the label by which the pods of a slot are recognised.
    pub(crate) fn label(&self, side: Side) -> Option<&str> {
        if side == self.template {
            return self.label.as_deref();
        }
        match self.marks.as_ref().and_then(|marks| marks.slots.get(&side)) {
            Some(staged) => staged.artifact.as_deref(),
            // No pod has an empty one.
            None => Some(""),
        }
    }

    fn runs(&self, side: Side) -> Runs {
        Runs::Labelled(self.label(side).map(str::to_owned))
    }

    /// Returns what a watch keeps of a slot.
    pub(crate) fn facts(&self, side: Side, object: &Value) -> DeploymentFacts {
        let metadata = &object["metadata"];
        let replicas = self.replicas(side);
        // Pods of an older template may look the same as those of the live one.
        let updated = self.updated.filter(|_| side == self.live && side == self.template);
        DeploymentFacts {
            name: metadata["name"].as_str().unwrap_or_default().to_owned(),
            version: pod::version(metadata),
            replicas,
            most_ready: updated.unwrap_or(replicas).min(replicas),
            runs: self.runs(side),
            // What its status says of both slots together is in the numbers above.
            rolled: Rolled::Whole,
            faults: Vec::new(),
        }
    }

    /// Returns how many pods of a slot can take traffic.
    pub(crate) fn ready(&self, side: Side, object: &Value, pods: &[Pod]) -> u16 {
        let pods: Vec<&Pod> = pods.iter().collect();
        sight::ready(&pods, &self.runs(side)).min(self.facts(side, object).most_ready)
    }

    pub(crate) fn ready_instances(&self, slots: &Slots, object: &Value, pods: &[Pod]) -> ReadyInstances {
        Side::BOTH.map(|side| (slots.name(side).clone(), self.ready(side, object, pods))).into()
    }
}

/// How many pods an object is to have: by its size, or by the nodes that it is for.
fn total(kind: SetKind, object: &Value) -> u16 {
    match kind {
        SetKind::StatefulSet => sight::replicas(object),
        SetKind::DaemonSet => number(object, "/status/desiredNumberScheduled").unwrap_or(0),
    }
}

/// The lowest ordinal that gets the template.
pub(crate) fn partition(object: &Value) -> u16 {
    number(object, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0)
}

/// Whether the controller has seen the object as it is. One that has seen none says 0.
pub(crate) fn is_observed(object: &Value) -> bool {
    let number = |path| object.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let seen = number("/status/observedGeneration");
    seen > 0 && seen >= number("/metadata/generation")
}

/// How many pods are of the template, by the rules of `kubectl rollout status`; `None` when all are, or when the
/// controller has not seen the template and so cannot tell.
fn updated(kind: SetKind, object: &Value, total: u16) -> Option<u16> {
    if !is_observed(object) {
        return None;
    }
    match kind {
        SetKind::StatefulSet => {
            let revision = |name: &str| object["status"][name].as_str().unwrap_or_default();
            let is_done = revision("updateRevision") == revision("currentRevision");
            if is_done { None } else { number(object, "/status/updatedReplicas").or(Some(0)) }
        }
        SetKind::DaemonSet => {
            let updated = number(object, "/status/updatedNumberScheduled").unwrap_or(0);
            (updated < total).then_some(updated)
        }
    }
}

fn number(object: &Value, path: &str) -> Option<u16> {
    let number = object.pointer(path)?.as_u64()?;
    Some(u16::try_from(number).unwrap_or(u16::MAX))
}
