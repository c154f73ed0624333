//! The annotation on an owner: for whom its sync is off, and what it was before.

use std::collections::BTreeMap;

use hotfix_core::model::{Stamp, Target};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fence::stamp;
use crate::names;

/// What the annotation holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// What the sync was before; there while it is off for anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) was: Option<Was>,
    /// By target; an owner may apply several.
    #[serde(default)]
    pub(crate) targets: BTreeMap<Target, Entry>,
}

/// The field that switches the sync, as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Was {
    Absent,
    Value(Value),
}

/// What one target has to do with the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The highest stamp of the target that was here.
    #[serde(with = "stamp")]
    pub(crate) stamp: Stamp,
    /// Why the sync is off for it, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) off: Option<Off>,
}

/// Why the sync is off for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Off {
    /// A run changes the target. The call with this stamp switched the sync off before it did.
    Run(#[serde(with = "stamp")] Stamp),
    /// A run succeeded, and git does not name its release yet.
    Ahead,
}

impl Note {
    /// Reads the annotation of an owner; empty when there is none.
    pub(crate) fn read(owner: &Value) -> Result<Self, String> {
        match owner["metadata"]["annotations"][names::SYNC].as_str() {
            None => Ok(Self::default()),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| format!("its annotation {} is not readable: {error}", names::SYNC)),
        }
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("a note has string keys only")
    }

    /// Returns the highest stamp of a target that was here.
    pub(crate) fn stamp(&self, target: &Target) -> Stamp {
        self.targets.get(target).map_or(Stamp::ZERO, |entry| entry.stamp)
    }

    /// Returns why the sync is off for a target.
    pub(crate) fn off(&self, target: &Target) -> Option<Off> {
        self.targets.get(target)?.off
    }

    /// Whether it is off for another target, too.
    pub(crate) fn is_off_for_another(&self, target: &Target) -> bool {
        self.targets.iter().any(|(other, entry)| other != target && entry.off.is_some())
    }

    /// Returns the note with another entry for a target.
    pub(crate) fn with(&self, target: &Target, entry: Entry) -> Self {
        let mut next = self.clone();
        next.targets.insert(target.clone(), entry);
        if next.targets.values().all(|entry| entry.off.is_none()) {
            next.was = None;
        }
        next
    }
}
