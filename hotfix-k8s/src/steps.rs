//! The patches that bring about a verb, in order.
//!
//! The first goes to the anchor, so of two callers with one stamp only one gets further; the last records the key.
//! A crash in between leaves a target that knows nothing of the key, so the verb is applied again: every patch is an
//! "ensure".
//!
//! The anchor is the route, because that is what an undo is about: where the old side can take the traffic as it is,
//! the patch that claims the fence is the one that moves it back.

use hotfix_core::model::{Artifact, Release, SlotName, Verb, VerbRefusal, Weights, WorkloadSnapshot};
use hotfix_core::port::{Call, TrafficSplit};
use json_patch::PatchOperation;
use serde_json::Value;

use crate::change::{set, set_at};
use crate::config::Overrides;
use crate::contents::Changed;
use crate::fence::Applied;
use crate::names::{self, annotation};
use crate::release::Mark;
use crate::rollout::has_ready_pod;
use crate::sight::{self, Place, Sight, Unreadable};
use crate::size;
use crate::slot::Side;
use crate::snapshot::Kept;
use crate::template::{self, Changes};
use crate::traffic::Uptake;

use self::testers::Content;

/// Returns the patches for a verb whose rules were checked.
pub(crate) fn steps(
    sight: &Sight,
    call: &Call,
    verb: &Verb,
    digest: &str,
    overrides: &Overrides,
    beside: Beside,
) -> Result<Vec<Step>, Refused> {
    let sync = beside.sync.clone();
    let mut draft = Draft::of(sight, call, verb, overrides, beside);
    match verb {
        Verb::Stage { slot, release, replicas } => draft.stage(slot, release, replicas.get())?,
        Verb::Shift { weights } => draft.shift(weights)?,
        Verb::Promote { slot } => draft.live(slot)?,
        Verb::Retire { slot } => draft.retire(slot)?,
        Verb::Restore { snapshot } => draft.restore(snapshot)?,
        Verb::Pause => draft.pause(true)?,
        Verb::Resume => draft.pause(false)?,
    }
    if let Some(when) = sync.filter(|_| !draft.goes_on()) {
        draft.edits.push(Edit::Wait(Step::GiveSyncBack(when)));
    }
    if matches!(draft.edits.last(), Some(Edit::Wait(Step::GiveSyncBack(_) | Step::PutBack(_)))) {
        // The key comes last, so that a crash before it has that done by who tries again.
        draft.edits.push(Edit::Change(Place::ANCHOR, Vec::new()));
    }
    draft.fenced(Applied::of(call, verb, digest))
}

/// Returns the patches that raise the fence for a key that was applied before, so that it stays the newest.
pub(crate) fn repetition(
    sight: &Sight,
    call: &Call,
    verb: &Verb,
    (place, applied): (Place, &Applied),
) -> Result<Vec<Step>, Refused> {
    let overrides = Overrides::default();
    let mut draft = Draft::of(sight, call, verb, &overrides, Beside::default());
    draft.edits.push(Edit::Change(place, Vec::new()));
    draft.fenced(Applied { stamp: call.stamp, ..applied.clone() })
}

enum Edit {
    Change(Place, Vec<PatchOperation>),
    Wait(Step),
}

struct Draft<'a> {
    sight: &'a Sight,
    overrides: &'a Overrides,
    key: &'a str,
    edits: Vec<Edit>,
    changed: Vec<Changed>,
    wrote_route: bool,
    unfenced: Unfenced,
}

impl<'a> Draft<'a> {
    fn of(
        sight: &'a Sight,
        call: &'a Call,
        verb: &Verb,
        overrides: &'a Overrides,
        Beside { changed, wrote_route, .. }: Beside,
    ) -> Self {
        let (key, edits, unfenced) = (call.key.as_str(), Vec::new(), Unfenced::by(verb));
        Self { sight, overrides, key, edits, changed, wrote_route, unfenced }
    }

    fn stage(&mut self, slot: &SlotName, release: &Release, replicas: u16) -> Result<(), Refused> {
        let side = self.side(slot)?;
        if let Some(dial) = &self.sight.dial {
            return self.stage_by_pods(dial, side, release, replicas);
        }
        let content = if self.holds(side, release) { Content::Same } else { Content::Other };
        let mut patch = Vec::new();
        if content == Content::Other {
            patch.extend(self.fill(side, release)?);
        }
        patch.extend(self.mark(side, release)?);
        patch.extend(self.scale(side, self.sized(replicas))?);
        if sight::replicas(&self.object(Place::Slot(side))?.value) == 0 && self.sight.lingers(side) {
            // They would be taken for pods of this release until the controllers get to them.
            self.edits.push(Edit::Wait(Step::UntilEmpty(side)));
        }
        self.keep_testers_out(content)?;
        self.change(Place::Slot(side), patch);
        self.let_testers_in(slot, side, content)
    }

    /// The live template with the image of the release.
    fn fill(&self, side: Side, release: &Release) -> Result<Vec<PatchOperation>, Refused> {
        let source =
            self.sight.live()?.and_then(|live| self.sight.deployment(live)).unwrap_or(&self.sight.main);
        let template = &source.value["spec"]["template"];
        let Artifact::Image(image) = &release.artifact else {
            return Err(Refused::NotAnImage(release.artifact.id().to_string()));
        };
        let shape = &self.sight.shape;
        let changes = Changes {
            container: shape.container.as_ref().map_err(|unnamed| Unreadable::from(unnamed.clone()))?,
            image,
            label: Some((&shape.label, shape.value(side))),
            slot: self.sight.slots.name(side).as_str(),
            overrides: self.overrides,
        };
        let slot = &self.object(Place::Slot(side))?.value;
        let mut patch = set(slot, ["spec", "template"], Some(changes.of(template)));
        if side == Side::Hotfix {
            // What says how pods are replaced is the owner's, who changes it on the main Deployment.
            for field in ["strategy", "minReadySeconds", "progressDeadlineSeconds"] {
                let value = self.sight.main.value["spec"].get(field).cloned();
                patch.extend(set(slot, ["spec", field], value));
            }
        }
        Ok(patch)
    }

    fn shift(&mut self, weights: &Weights) -> Result<(), Refused> {
        if let Some(dial) = &self.sight.dial {
            return self.shift_by_pods(dial, weights);
        }
        let traffic = &self.sight.traffic;
        if traffic.split() == TrafficSplit::Switch && weights.iter().count() > 1 {
            let object = self.sight.route.reference.clone().into();
            return Err(Refused::Split { object, weights: weights.clone() });
        }
        let patch = traffic.write(&self.sight.route.value, weights)?;
        self.keep_sizes(weights)?;
        let before = self.sight.weights()?;
        let grows = |slot: &SlotName| weights.of(slot) > before.of(slot);
        for side in Side::BOTH.into_iter().filter(|side| grows(self.sight.slots.name(*side))) {
            if self.sight.is_mixed(side) {
                self.edits.push(Edit::Wait(Step::UntilUnmixed(side)));
            }
            if traffic.split() == TrafficSplit::Percent {
                self.edits.push(Edit::Wait(Step::UntilServed(side)));
                if before.of(self.sight.slots.name(side)) == 0 {
                    self.edits.push(Edit::Wait(Step::UntilHeardOf));
                }
            }
        }
        self.change(Place::Route, [patch, self.opened()?].concat());
        Ok(())
    }

    fn live(&mut self, slot: &SlotName) -> Result<(), Refused> {
        let mark = Some(slot.as_str().into());
        let patch = set_at(&self.sight.main.value, annotation(names::LIVE), mark);
        self.change(Place::Slot(Side::Main), patch);
        self.change(Place::Route, self.closed()?);
        self.follow(slot)
    }

    fn retire(&mut self, slot: &SlotName) -> Result<(), Refused> {
        let side = self.side(slot)?;
        if let Some(dial) = &self.sight.dial {
            return self.retire_by_pods(dial, side);
        }
        let patch = [self.empty(side)?, self.emptied_by_this(side)?].concat();
        self.change(Place::Route, self.closed()?);
        self.change(Place::Slot(side), patch);
        Ok(())
    }

    fn empty(&self, side: Side) -> Result<Vec<PatchOperation>, Refused> {
        let slot = &self.object(Place::Slot(side))?.value;
        let mut patch = set_at(slot, annotation(names::RELEASE), Some(names::EMPTY.into()));
        patch.extend(self.scale(side, 0)?);
        Ok(patch)
    }

    /// Says on a slot that it was emptied for this call. An attempt that dies before its key is recorded leaves a slot that
    /// does not hold what the next one expects.
    fn emptied_by_this(&self, side: Side) -> Result<Vec<PatchOperation>, Refused> {
        let slot = &self.object(Place::Slot(side))?.value;
        Ok(set_at(slot, annotation(names::EMPTIED), Some(self.key.into())))
    }

    fn pause(&mut self, pause: bool) -> Result<(), Refused> {
        for side in Side::BOTH {
            let slot = &self.object(Place::Slot(side))?.value;
            if sight::is_paused(slot) != pause {
                let patch = set(slot, ["spec", "paused"], pause.then(|| true.into()));
                self.change(Place::Slot(side), patch);
            }
        }
        Ok(())
    }

    /// The traffic at once where the slot can take it as it is; otherwise the slot first, and then the traffic as
    /// soon as it can. The other slot last. The mark of what is live is set with whatever is written to that object
    /// anyway.
    ///
    /// Pods that are ready do not count where the slot gets another template: how soon they end is up to its strategy, and
    /// after `Recreate` there is none for a while. So a pod of that template is waited for as long as the other side
    /// serves. What pods read is put back when the traffic has moved if there are pods that take it, and before they start
    /// if not: with other contents they might not serve.
    fn restore(&mut self, snapshot: &WorkloadSnapshot) -> Result<(), Refused> {
        let side = self.side(&snapshot.slot)?;
        if let Some(dial) = &self.sight.dial {
            return self.restore_by_pods(dial, side, snapshot);
        }
        let other = side.other();
        let template = self.retemplated(side, snapshot)?;
        let serves = template.is_empty() && self.serves(side);
        let anew = if serves { self.reread(side) } else { Vec::new() };
        let mut slot = self.refill(side, snapshot, template, &anew)?;
        let weights = Weights::all(snapshot.slot.clone());
        let shift = self.sight.traffic.write(&self.sight.route.value, &weights)?;
        let is_in_force = self.sight.uptake(&self.sight.route.value) == Uptake::InForce;
        let leaves = !shift.is_empty() || self.wrote_route || !is_in_force;
        let shift = [shift, self.closed()?].concat();
        // A slot that somebody deleted is as empty as can be.
        let emptied = self.sight.deployment(other).map_or_else(|| Ok(Vec::new()), |_| self.empty(other))?;
        let mut main =
            set_at(&self.sight.main.value, annotation(names::LIVE), Some(snapshot.slot.as_str().into()));
        if !serves {
            main.extend(self.put_back(side));
        }
        if side == Side::Main && !(serves && slot.is_empty()) {
            slot.append(&mut main);
        }
        self.change(Place::Slot(side), slot);
        if !serves && !shift.is_empty() && self.sight.ready(other) > 0 {
            self.edits.push(Edit::Wait(Step::UntilReady(side)));
        }
        self.change(Place::Route, shift);
        if serves {
            main.extend(self.put_back(side));
        }
        self.look_again();
        let (anew, emptied) = match side {
            Side::Main => ([anew, main].concat(), emptied),
            Side::Hotfix => (anew, [emptied, main].concat()),
        };
        self.change(Place::Slot(side), anew);
        self.follow(&snapshot.slot)?;
        if leaves && !emptied.is_empty() {
            self.edits.push(Edit::Wait(Step::UntilLeft(other)));
        }
        self.change(Place::Slot(other), emptied);
        Ok(())
    }

    /// Puts template and size back. If pods are started `anew` later on, that patch says that they were.
    fn refill(
        &self,
        side: Side,
        snapshot: &WorkloadSnapshot,
        template: Vec<PatchOperation>,
        anew: &[PatchOperation],
    ) -> Result<Vec<PatchOperation>, Refused> {
        let slot = &self.object(Place::Slot(side))?.value;
        let mut patch = [template, self.resized(side, snapshot)?].concat();
        let is_filled = snapshot.backend.is_null() && !self.holds(side, &snapshot.release);
        if !patch.is_empty() && !is_filled && anew.is_empty() {
            patch.extend(set_at(slot, annotation(names::RESTORED), Some(self.key.into())));
        }
        Ok(patch)
    }

    /// Puts the template back. Pods of which none is ready are started anew, once per restore.
    fn retemplated(&self, side: Side, snapshot: &WorkloadSnapshot) -> Result<Vec<PatchOperation>, Refused> {
        let slot = &self.object(Place::Slot(side))?.value;
        let kept = Kept::read(snapshot).map_err(Refused::Snapshot)?;
        let current = &slot["spec"]["template"];
        let wanted = match kept.map(|kept| kept.template) {
            Some(_) if matches!(Edited::find(self.sight, snapshot), Some(Edited::Left(_))) => current.clone(),
            Some(template) => template,
            None if self.holds(side, &snapshot.release) => current.clone(),
            None => return self.fill(side, &snapshot.release),
        };
        let mut patch = Vec::new();
        if !template::is_same(current, &wanted) {
            patch.extend(set(slot, ["spec", "template"], Some(wanted)));
        } else if sight::replicas(slot) > 0 && self.sight.ready(side) == 0 && !self.restored(slot) {
            patch.extend(set(slot, ["spec", "template"], Some(template::renewed(current, self.key))));
        }
        if !patch.is_empty() {
            // A paused Deployment would keep the pods it has.
            patch.extend(set(slot, ["spec", "paused"], None));
        }
        Ok(patch)
    }

    fn resized(&self, side: Side, snapshot: &WorkloadSnapshot) -> Result<Vec<PatchOperation>, Refused> {
        let is_plain = self.sight.is_plain(side, snapshot);
        let mark = if is_plain { Vec::new() } else { self.mark(side, &snapshot.release)? };
        Ok([mark, self.scale(side, self.sized(snapshot.replicas.get()))?].concat())
    }

    /// Whether a slot has a pod that can take the traffic. Where an attempt before this one replaced its pods, one of
    /// theirs does not count.
    fn serves(&self, side: Side) -> bool {
        let slot = self.sight.deployment(side).map(|slot| &slot.value);
        self.sight.ready(side) > 0 && slot.is_some_and(|slot| !self.restored(slot) || has_ready_pod(slot))
    }

    fn restored(&self, slot: &Value) -> bool {
        let key = slot.pointer("/metadata/annotations").and_then(|all| all.get(names::RESTORED));
        key.is_some_and(|key| *key == *self.key)
    }

    fn holds(&self, side: Side, release: &Release) -> bool {
        let held = self.sight.held(side).ok().flatten();
        held.is_some_and(|held| held.release.artifact == release.artifact)
    }

    /// Says what the slot holds, unless it says so already.
    fn mark(&self, side: Side, release: &Release) -> Result<Vec<PatchOperation>, Refused> {
        if self.sight.held(side).is_ok_and(|held| held.is_some_and(|held| held.release == *release)) {
            return Ok(Vec::new());
        }
        let slot = &self.object(Place::Slot(side))?.value;
        Ok(set_at(slot, annotation(names::RELEASE), Some(Mark::text(release).into())))
    }

    fn scale(&self, side: Side, replicas: u16) -> Result<Vec<PatchOperation>, Refused> {
        let slot = &self.object(Place::Slot(side))?.value;
        let replicas = size::kept(side, replicas, sight::replicas(slot));
        Ok(set(slot, ["spec", "replicas"], Some(replicas.into())))
    }

    fn side(&self, slot: &SlotName) -> Result<Side, Refused> {
        let slots = &self.sight.slots;
        let known = format!("{}, {}", slots.main, slots.hotfix);
        let side = slots.side(slot);
        side.ok_or_else(|| Refused::Rule(VerbRefusal::UnknownSlot { slot: slot.clone(), known }))
    }

    fn object(&self, place: Place) -> Result<&'a sight::Object, Refused> {
        self.sight.object(place).ok_or_else(|| Refused::NotAdopted(self.sight.reference(place).into()))
    }

    /// Whether the verb is planned anew after these edits.
    fn goes_on(&self) -> bool {
        matches!(self.edits.last(), Some(Edit::Wait(Step::UntilChanged(_))))
    }

    fn change(&mut self, place: Place, patch: Vec<PatchOperation>) {
        if !patch.is_empty() {
            self.edits.push(Edit::Change(place, patch));
        }
    }
}

mod beside;
mod edited;
mod fenced;
mod refused;
mod replicas;
mod scaling;
mod step;
mod testers;

pub(crate) use beside::{Beside, moves_first};
pub(crate) use edited::{Edited, is_changed};
use fenced::Unfenced;
pub(crate) use refused::Refused;
pub(crate) use step::{Rest, Step, Write, WriteEffect};

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
