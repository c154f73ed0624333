//! What goes with a verb beside the target's own objects: what its pods have read, and who would take it back.

use json_patch::PatchOperation;
use serde_json::Value;

use super::{Draft, Edit, Step};
use crate::change::set_at;
use crate::contents::Changed;
use crate::names::{self, annotation};
use crate::sight::Place;
use crate::slot::Side;
use crate::sync::When;
use crate::template;

/// What goes with a verb beside the target's own objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Beside {
    /// When the sync of the owners comes back, if the verb ends a run.
    pub(crate) sync: Option<When>,
    /// What does not hold what the snapshot of a restore has hashes of.
    pub(crate) changed: Vec<Changed>,
}

impl Draft<'_> {
    /// Puts contents back before anything else, and returns what ends the note of it on the main Deployment.
    ///
    /// Pods that have read them when they started are started anew. A note says so before the contents are right again,
    /// because whoever goes on after a crash would not see that they were wrong.
    pub(super) fn put_back(&mut self, side: Side) -> Vec<PatchOperation> {
        let sight = self.sight;
        let main = &sight.main.value;
        let path = || annotation(names::REREAD);
        if self.changed.is_empty() {
            return set_at(main, path(), None);
        }
        let is_reread = sight.deployment(side).is_some_and(|slot| self.is_reread(&slot.value));
        let note = if is_reread { set_at(main, path(), Some(self.key.into())) } else { Vec::new() };
        self.change(Place::Slot(Side::Main), note);
        self.edits.push(Edit::Wait(Step::PutBack(std::mem::take(&mut self.changed))));
        if !is_reread {
            return Vec::new();
        }
        let mut after = main.clone();
        after["metadata"]["annotations"][names::REREAD] = self.key.into();
        set_at(&after, path(), None)
    }

    /// Whether the pods of a slot have read at their start what is put back.
    pub(super) fn is_reread(&self, slot: &Value) -> bool {
        let note = &self.sight.main.value["metadata"]["annotations"][names::REREAD];
        let template = &slot["spec"]["template"];
        *note == *self.key
            || self.changed.iter().any(|changed| template::reads_at_start(template, &changed.object))
    }
}
