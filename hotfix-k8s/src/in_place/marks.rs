//! What the annotation of a StatefulSet or a DaemonSet says of its two slots.

use std::collections::{BTreeMap, BTreeSet};

use hotfix_core::model::Release;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names;
use crate::slot::Side;

/// What the annotation holds. It is there from the first stage on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Marks {
    /// The slot whose release is the stable one.
    pub(crate) live: Side,
    /// The slot whose release the template is.
    pub(crate) template: Side,
    /// What was staged in each slot and not retired.
    pub(crate) slots: BTreeMap<Side, Staged>,
    /// What a rollout that is under way replaces; nothing while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Before>,
    /// The pods that are to be deleted, by uid.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) ending: BTreeSet<String>,
    /// The key of the last restore that had pods deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored: Option<String>,
}

/// The live template, and how pods were replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Before {
    pub(crate) template: Value,
    pub(crate) strategy: Value,
}

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Staged {
    pub(crate) release: Release,
    /// The label [`names::ARTIFACT`] of its pods; none on pods of a template that nobody staged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact: Option<String>,
    /// How many pods it takes from the other slot, while it is not live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) taken: Option<u16>,
}

impl Marks {
    /// Reads the annotation; `None` when there is none.
    pub(crate) fn read(object: &Value) -> Result<Option<Self>, String> {
        let text = object.pointer("/metadata/annotations").and_then(|all| all.get(names::SLOTS));
        let Some(text) = text else { return Ok(None) };
        let marks = serde_json::from_str(text.as_str().unwrap_or_default());
        marks.map(Some).map_err(|error| format!("its annotation {} is not readable: {error}", names::SLOTS))
    }

    /// Returns the text of the annotation.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("marks have string keys only")
    }
}
