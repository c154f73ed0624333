//! What brings a verb one step further: a patch, or pods to delete, or nothing any more.

use std::collections::{BTreeMap, BTreeSet};

use hotfix_core::model::{Artifact, Release, SlotName, Verb, VerbName, WorkloadSnapshot};
use json_patch::PatchOperation;
use json_patch::jsonptr::PointerBuf;
use serde_json::{Value, json};

use super::kept::Kept;
use super::marks::{Before, Marks, Staged};
use super::sight::{InPlace, Misfit};
use super::view::{SetKind, is_observed};
use crate::change::set_at;
use crate::config::Overrides;
use crate::names::{self, annotation, pointer};
use crate::pod::Pod;
use crate::release::Unnamed;
use crate::sight;
use crate::slot::Side;
use crate::steps;
use crate::template::{self, Changes};

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// Change the object; more is to be done.
    Write(Vec<PatchOperation>),
    /// Delete these pods.
    End(Vec<Pod>),
    /// Look again a little later: the controller has not seen the object.
    Wait,
    /// Change the object, and the verb is done.
    Finish(Vec<PatchOperation>),
}

/// Why a verb is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0} is not offered where pods are replaced in place")]
    NotOffered(VerbName),
    #[error(transparent)]
    Step(#[from] steps::Refused),
    #[error(transparent)]
    Unnamed(#[from] Unnamed),
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// What a verb makes of the object.
struct Goal {
    template: Value,
    strategy: Value,
    replicas: Option<u16>,
    marks: Option<Marks>,
}

/// Returns the next step of a verb whose rules were checked. `key` names the call.
pub(crate) fn next(sight: &InPlace, verb: &Verb, key: &str, overrides: &Overrides) -> Result<Next, Refused> {
    let goal = match verb {
        Verb::Stage { slot, release, replicas } => {
            stage(sight, side(sight, slot)?, release, replicas.get(), overrides)?
        }
        Verb::Shift { .. } => unchanged(sight),
        Verb::Promote { slot } => promote(sight, side(sight, slot)?),
        Verb::Retire { slot } => retire(sight, side(sight, slot)?),
        Verb::Restore { snapshot } => restore(sight, snapshot, key, overrides)?,
        Verb::Pause | Verb::Resume => return Err(Refused::NotOffered(verb.name())),
    };
    let ending = goal.marks.as_ref().map(|marks| marks.ending.clone()).unwrap_or_default();
    let is_restore = verb.name() == VerbName::Restore;
    let patch = patch(sight, goal);
    // A controller that has not seen what was restored may make one more pod of what was there before.
    let is_over =
        ending.is_empty() && (!is_restore || (patch.is_empty() && is_observed(&sight.object.value)));
    Ok(match (patch.is_empty(), is_over) {
        (_, true) => Next::Finish(patch),
        (false, false) => Next::Write(patch),
        (true, false) if ending.is_empty() => Next::Wait,
        (true, false) => {
            Next::End(sight.pods.iter().filter(|pod| ending.contains(&pod.uid)).cloned().collect())
        }
    })
}

fn patch(sight: &InPlace, goal: Goal) -> Vec<PatchOperation> {
    let object = &sight.object.value;
    let mut patch = Vec::new();
    let mut set = |path: PointerBuf, value: Value| patch.extend(set_at(object, path, Some(value)));
    set(pointer(["spec", "template"]), goal.template);
    set(pointer(["spec", "updateStrategy"]), goal.strategy);
    if let Some(replicas) = goal.replicas {
        set(pointer(["spec", "replicas"]), replicas.into());
    }
    if let Some(marks) = goal.marks {
        set(annotation(names::SLOTS), marks.text().into());
    }
    patch
}

fn side(sight: &InPlace, slot: &SlotName) -> Result<Side, Refused> {
    let known = format!("{}, {}", sight.slots.main, sight.slots.hotfix);
    let unknown = || hotfix_core::model::VerbRefusal::UnknownSlot { slot: slot.clone(), known };
    sight.slots.side(slot).ok_or_else(|| Refused::Step(steps::Refused::Rule(unknown())))
}

fn unchanged(sight: &InPlace) -> Goal {
    let spec = &sight.object.value["spec"];
    Goal {
        template: spec["template"].clone(),
        strategy: spec["updateStrategy"].clone(),
        replicas: None,
        marks: sight.view.marks.clone(),
    }
}

/// The live template with the image of the release, for so many pods.
fn stage(
    sight: &InPlace,
    side: Side,
    release: &Release,
    taken: u16,
    overrides: &Overrides,
) -> Result<Goal, Refused> {
    let view = &sight.view;
    if side == view.live {
        return Ok(unchanged(sight));
    }
    let held =
        sight.held(side)?.filter(|held| side == view.template && held.release.artifact == release.artifact);
    let spec = &sight.object.value["spec"];
    let template = match held {
        Some(_) => spec["template"].clone(),
        None => fill(sight, side, release, overrides)?,
    };
    let staged = |release: Release, artifact: Option<&str>, taken| Staged {
        release,
        artifact: artifact.map(str::to_owned),
        taken,
    };
    let mut slots = BTreeMap::new();
    if let Some(live) = sight.held(view.live)? {
        slots.insert(view.live, staged(live.release, view.label(view.live), None));
    }
    let label = label(&template);
    slots.insert(side, staged(release.clone(), label.as_deref(), Some(taken)));
    let marks = Marks {
        live: view.live,
        template: side,
        slots,
        before: Some(sight.before()),
        ending: surplus(sight, label.as_deref(), taken),
        restored: None,
    };
    let strategy = match view.kind {
        SetKind::StatefulSet => partitioned(&spec["updateStrategy"], view.total.saturating_sub(taken)),
        SetKind::DaemonSet => json!({"type": "OnDelete"}),
    };
    Ok(Goal { template, strategy, replicas: None, marks: Some(marks) })
}

fn fill(sight: &InPlace, side: Side, release: &Release, overrides: &Overrides) -> Result<Value, Refused> {
    let Artifact::Image(image) = &release.artifact else {
        return Err(steps::Refused::NotAnImage(release.artifact.id().to_string()).into());
    };
    let changes = Changes {
        container: &sight.container,
        image,
        label: None,
        slot: sight.slots.name(side).as_str(),
        overrides,
    };
    Ok(changes.of(&sight.object.value["spec"]["template"]))
}

/// Which pods of a DaemonSet are to end, so that `taken` are of the template: those that serve nobody first, and of those
/// that were named before none is let off.
fn surplus(sight: &InPlace, label: Option<&str>, taken: u16) -> BTreeSet<String> {
    if sight.view.kind == SetKind::StatefulSet {
        return BTreeSet::new();
    }
    let named = sight.view.marks.as_ref().map(|marks| &marks.ending);
    let mut old: Vec<&Pod> =
        sight.pods.iter().filter(|pod| !pod.is_going && pod.artifact.as_deref() != label).collect();
    old.sort_by_key(|pod| {
        (!named.is_some_and(|named| named.contains(&pod.uid)), pod.is_ready, pod.name.clone())
    });
    let stay = usize::from(sight.view.total.saturating_sub(taken));
    let surplus = old.len().saturating_sub(stay);
    old.into_iter().take(surplus).map(|pod| pod.uid.clone()).collect()
}

fn partitioned(strategy: &Value, partition: u16) -> Value {
    let mut strategy = strategy.clone();
    strategy["type"] = "RollingUpdate".into();
    strategy["rollingUpdate"]["partition"] = partition.into();
    strategy
}

fn promote(sight: &InPlace, side: Side) -> Goal {
    let mut goal = unchanged(sight);
    if let Some(marks) = goal.marks.as_mut().filter(|marks| marks.live != side) {
        marks.live = side;
        marks.ending = BTreeSet::new();
        if let Some(before) = marks.before.take() {
            goal.strategy = before.strategy;
        }
    }
    goal
}

fn retire(sight: &InPlace, side: Side) -> Goal {
    let mut goal = unchanged(sight);
    if let Some(marks) = &mut goal.marks {
        marks.slots.remove(&side);
    }
    goal
}

/// Everything as it was, and what would keep the controller from it gone: a pod of another release that is not ready,
/// which a StatefulSet waits for without end, and once the pods of the release itself when none of them is ready.
fn restore(
    sight: &InPlace,
    snapshot: &WorkloadSnapshot,
    key: &str,
    overrides: &Overrides,
) -> Result<Goal, Refused> {
    let side = side(sight, &snapshot.slot)?;
    let object = &sight.object.value;
    let spec = &object["spec"];
    let kept = Kept::read(snapshot).map_err(steps::Refused::Snapshot)?;
    let (template, strategy) = match kept {
        Some(kept) if is_edited(sight, snapshot, &kept) => (spec["template"].clone(), kept.strategy),
        Some(kept) => (kept.template, kept.strategy),
        None => {
            let live = sight.held(sight.view.live).ok().flatten();
            let is_live = live.is_some_and(|live| live.release.artifact == snapshot.release.artifact);
            let Before { template, strategy } = sight.before();
            let template = if is_live { template } else { fill(sight, side, &snapshot.release, overrides)? };
            (template, strategy)
        }
    };
    let template =
        if template::is_same(&spec["template"], &template) { spec["template"].clone() } else { template };
    let label = label(&template);
    let before = sight.view.marks.as_ref();
    let is_begun = before.is_some_and(|marks| marks.restored.as_deref() == Some(key));
    let ending = stuck(sight, label.as_deref(), is_begun);
    let restored = if is_begun || !ending.is_empty() {
        Some(key.to_owned())
    } else {
        before.and_then(|marks| marks.restored.clone())
    };
    let staged = Staged { release: snapshot.release.clone(), artifact: label, taken: None };
    let marks =
        Marks { live: side, template: side, slots: [(side, staged)].into(), before: None, ending, restored };
    // What its owner or an autoscaler made it meanwhile is not taken away.
    let replicas = snapshot.replicas.get().max(sight.view.total);
    let replicas = (sight.view.kind == SetKind::StatefulSet).then_some(replicas);
    Ok(Goal { template, strategy, replicas, marks: Some(marks) })
}

/// Whether somebody else changed the template beside the image, and a pod is ready all the same: it is not the run's to
/// take back.
pub(crate) fn is_edited(sight: &InPlace, snapshot: &WorkloadSnapshot, kept: &Kept) -> bool {
    let view = &sight.view;
    let staged = view.marks.as_ref().and_then(|marks| marks.slots.get(&view.template));
    let is_run_s = view.template != view.live
        || staged.is_some_and(|staged| staged.release.artifact != snapshot.release.artifact);
    let current = &sight.object.value["spec"]["template"];
    let is_ready = sight.current(view.template).iter().any(|pod| pod.is_ready && !pod.is_going);
    !is_run_s && is_ready && steps::is_changed(snapshot, &kept.template, current, &sight.container)
}

fn stuck(sight: &InPlace, label: Option<&str>, is_begun: bool) -> BTreeSet<String> {
    let named = sight.view.marks.as_ref().map(|marks| &marks.ending);
    let is_wanted = |pod: &&Pod| pod.artifact.as_deref() == label;
    let is_dead = !sight.pods.iter().filter(is_wanted).any(|pod| pod.is_ready && !pod.is_going);
    let unready = sight.pods.iter().filter(|pod| !pod.is_ready && !pod.is_going);
    let stuck = unready.filter(|pod| {
        let was_named = named.is_some_and(|named| named.contains(&pod.uid));
        !is_wanted(pod) || if is_begun { was_named } else { is_dead }
    });
    stuck.map(|pod| pod.uid.clone()).collect()
}

fn label(template: &Value) -> Option<String> {
    let object = json!({"spec": {"template": template}});
    sight::artifact_label(&object).map(str::to_owned)
}

#[cfg(test)]
#[path = "next_tests.rs"]
mod tests;
