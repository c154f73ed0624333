//! What goes with a verb beside the target's own objects: what its pods have read, and who would take it back.

use hotfix_core::model::{Verb, Weights};
use hotfix_core::port::Call;
use json_patch::PatchOperation;
use serde_json::Value;

use super::{Draft, Edit, Step};
use crate::change::{set, set_at};
use crate::config::{Allowance, Overrides};
use crate::contents::{Changed, Seen};
use crate::names::{self, annotation};
use crate::sight::{self, Place, Sight};
use crate::slot::Side;
use crate::sync::When;
use crate::template;
use crate::traffic::course::Back;
use crate::traffic::ratio::Fences;

/// What goes with a verb beside the target's own objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Beside {
    /// When the sync of the owners comes back, if the verb ends a run.
    pub(crate) sync: Option<When>,
    /// What does not hold what the snapshot of a restore has hashes of, or may not.
    pub(crate) changed: Vec<Changed>,
    /// Whether the same attempt has written the route before, so that whoever serves it may not have heard of it yet.
    pub(crate) wrote_route: bool,
}

/// Whether a verb begins with moving the traffic whatever the pods have read, so that this need not be known before.
pub(crate) fn moves_first(sight: &Sight, call: &Call, verb: &Verb, overrides: &Overrides) -> bool {
    let Verb::Restore { snapshot } = verb else { return false };
    let draft = Draft::of(sight, call, verb, overrides, Beside::default());
    // Where numbers of pods are the dial, pods of the copy that are started anew come before the traffic.
    let is_first = |side: &Side| match &sight.dial {
        None => {
            let shift = sight.traffic.write(&sight.route.value, &Weights::all(snapshot.slot.clone()));
            draft.serves(*side) && shift.is_ok_and(|shift| !shift.is_empty())
        }
        Some(dial) => *side == Side::Main && draft.way_back(dial, *side, snapshot).1 == Back::Now,
    };
    let side = draft.side(&snapshot.slot).ok().filter(is_first);
    side.is_some_and(|side| draft.retemplated(side, snapshot).is_ok_and(|template| template.is_empty()))
}

impl Draft<'_> {
    /// Puts back what is known to be wrong, and returns what ends the note of it on the main Deployment.
    ///
    /// Pods that have read it when they started are started anew. A note says so before the contents are right again,
    /// because whoever goes on after a crash would not see that they were wrong.
    pub(super) fn put_back(&mut self, side: Side) -> Vec<PatchOperation> {
        let main = &self.sight.main.value;
        let path = || annotation(names::REREAD);
        let is_other = |changed: &mut Changed| changed.seen == Seen::Other;
        let is_reread = self.sight.deployment(side).is_some_and(|slot| self.is_reread(&slot.value));
        let wrong: Vec<Changed> = self.changed.extract_if(.., is_other).collect();
        if wrong.is_empty() {
            return set_at(main, path(), None);
        }
        let note = if is_reread { set_at(main, path(), Some(self.key.into())) } else { Vec::new() };
        self.change(Place::Slot(Side::Main), note);
        self.edits.push(Edit::Wait(Step::PutBack(wrong)));
        if !is_reread {
            return Vec::new();
        }
        let mut after = main.clone();
        after["metadata"]["annotations"][names::REREAD] = self.key.into();
        set_at(&after, path(), None)
    }

    /// Looks again at what could not be read, and puts that back. Never before the traffic has moved, which nobody knows
    /// it to be needed for.
    pub(super) fn look_again(&mut self) {
        let unread = std::mem::take(&mut self.changed);
        match self.edits.last_mut() {
            _ if unread.is_empty() => {}
            Some(Edit::Wait(Step::PutBack(wrong))) => wrong.extend(unread),
            _ => self.edits.push(Edit::Wait(Step::PutBack(unread))),
        }
    }

    /// Starts pods anew that serve, because they have read at their start what is put back.
    ///
    /// This comes after the traffic: most of them started before the contents changed and are as good as ever, and
    /// customers are with the fix that is taken back until they get there. So it is done only where the Deployment's own
    /// strategy leaves some of them to serve meanwhile. Where it ends all at once, that would be an outage for certain,
    /// against contents that may be wrong in some; a human is told and chooses the moment.
    pub(super) fn reread(&mut self, side: Side) -> Vec<PatchOperation> {
        let Some(slot) = self.sight.deployment(side).filter(|slot| self.is_reread(&slot.value)) else {
            return Vec::new();
        };
        let value = &slot.value;
        if sight::replicas(value) == 0 || self.restored(value) {
            return Vec::new();
        }
        if !is_gradual(value) {
            let said = format!(
                "{} would end all its pods at once, so they were not started anew; restart it when you can, they may \
                 have read other contents when they started",
                slot.reference
            );
            self.edits.push(Edit::Wait(Step::Say(said)));
            return Vec::new();
        }
        let template = template::renewed(&value["spec"]["template"], self.key);
        let mut patch = set(value, ["spec", "template"], Some(template));
        // A paused Deployment would keep the pods it has.
        patch.extend(set(value, ["spec", "paused"], None));
        patch.extend(set_at(value, annotation(names::RESTORED), Some(self.key.into())));
        patch
    }

    /// Whether the pods of a slot have read at their start what is put back.
    pub(super) fn is_reread(&self, slot: &Value) -> bool {
        let note = &self.sight.main.value["metadata"]["annotations"][names::REREAD];
        let template = &slot["spec"]["template"];
        let mut wrong = self.changed.iter().filter(|changed| changed.seen == Seen::Other);
        *note == *self.key || wrong.any(|changed| template::reads_at_start(template, &changed.object))
    }
}

/// Whether some pods of a Deployment serve while all are replaced.
fn is_gradual(deployment: &Value) -> bool {
    let strategy = &deployment["spec"]["strategy"];
    // What Kubernetes takes where nothing is said.
    let allowance = |name: &str| {
        let said = serde_json::from_value(strategy["rollingUpdate"][name].clone());
        said.unwrap_or(Allowance::Percent(25))
    };
    let replicas = sight::replicas(deployment).into();
    let fences = Fences::resolve(replicas, allowance("maxSurge"), allowance("maxUnavailable"));
    strategy["type"] != "Recreate" && fences.fewest_available() > 0
}
