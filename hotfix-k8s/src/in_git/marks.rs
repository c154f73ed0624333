//! What the annotation of a Deployment whose image is written in git says of its two slots.

use std::collections::BTreeMap;

use hotfix_core::model::Release;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::written::Written;
use crate::names;
use crate::slot::Side;

/// What the annotation holds. It is there from the first stage on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Marks {
    /// The slot whose release is the stable one.
    pub(crate) live: Side,
    /// The container that carries the release.
    pub(crate) container: String,
    /// What was staged in each slot and not retired.
    pub(crate) slots: BTreeMap<Side, Staged>,
}

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Staged {
    pub(crate) release: Release,
    /// The image as the file has it for this slot.
    pub(crate) written: Written,
    pub(crate) stand: Stand,
}

/// How far a release got in its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stand {
    /// It is about to be committed: the slot holds it if the file names it.
    Meant,
    /// It was committed.
    Held,
}

impl Marks {
    /// Reads the annotation; `None` when there is none.
    pub(crate) fn read(object: &Value) -> Result<Option<Self>, String> {
        let text = object.pointer("/metadata/annotations").and_then(|all| all.get(names::IN_GIT));
        let Some(text) = text else { return Ok(None) };
        let marks = serde_json::from_str(text.as_str().unwrap_or_default());
        marks.map(Some).map_err(|error| format!("its annotation {} is not readable: {error}", names::IN_GIT))
    }

    /// Returns the text of the annotation.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("marks have string keys only")
    }

    /// Returns the slot whose image is this; of both the live one.
    pub(crate) fn named(&self, is_it: impl Fn(&Written) -> bool) -> Option<Side> {
        let sides = [self.live, self.live.other()];
        sides.into_iter().find(|side| self.slots.get(side).is_some_and(|staged| is_it(&staged.written)))
    }
}
