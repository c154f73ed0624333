//! The field of each kind of owner that switches its sync, and what must be so that a change of it stays.

use json_patch::PatchOperation;
use serde_json::{Map, Value};

use super::note::Was;
use crate::change::set;
use crate::gitops::{self, Tool};
use crate::names::pointer;

/// Whether an owner would take a change back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sync {
    /// It would. The field is as it says.
    On(Was),
    /// It would not, as we leave it.
    Off,
    /// It would not, because somebody else wrote so.
    OffByOthers,
}

const POLICY: [&str; 2] = ["spec", "syncPolicy"];
const AUTOMATED: [&str; 3] = ["spec", "syncPolicy", "automated"];
const SUSPEND: [&str; 2] = ["spec", "suspend"];

/// Reads whether the sync is on.
pub(crate) fn read(tool: Tool, owner: &Value) -> Sync {
    let found = |path: &[&str]| path.iter().try_fold(owner, |value, name| value.get(*name)).cloned();
    match tool {
        Tool::ArgoCd => match found(&AUTOMATED) {
            None => Sync::Off,
            Some(Value::Null) => Sync::OffByOthers,
            Some(automated) if automated["enabled"] == false => Sync::OffByOthers,
            Some(automated) => Sync::On(Was::Value(automated)),
        },
        Tool::FluxKustomize | Tool::FluxHelm => match found(&SUSPEND) {
            Some(Value::Bool(true)) => Sync::Off,
            Some(suspend) => Sync::On(Was::Value(suspend)),
            None => Sync::On(Was::Absent),
        },
    }
}

/// Returns what switches the sync of an owner off.
pub(crate) fn off(tool: Tool, owner: &Value) -> Vec<PatchOperation> {
    match tool {
        Tool::ArgoCd => set(owner, AUTOMATED, None),
        Tool::FluxKustomize | Tool::FluxHelm => set(owner, SUSPEND, Some(true.into())),
    }
}

/// Returns what makes the field that switches the sync of an owner what it was.
pub(crate) fn on(tool: Tool, owner: &Value, was: &Was) -> Vec<PatchOperation> {
    let was = match was {
        Was::Absent => None,
        Was::Value(value) => Some(value.clone()),
    };
    match tool {
        Tool::ArgoCd => {
            let lacks_policy = was.is_some() && owner.pointer(pointer(POLICY).as_str()).is_none();
            let policy = lacks_policy.then(|| set(owner, POLICY, Some(Value::Object(Map::new()))));
            policy.into_iter().flatten().chain(set(owner, AUTOMATED, was)).collect()
        }
        Tool::FluxKustomize | Tool::FluxHelm => set(owner, SUSPEND, was),
    }
}

/// Whether a sync that began before it was switched off is still at work. Flux does not say: a suspended object keeps the
/// condition that it had.
pub(crate) fn is_at_work(tool: Tool, owner: &Value) -> bool {
    tool == Tool::ArgoCd
        && (owner.pointer("/status/operationState/phase").is_some_and(|phase| phase == "Running")
            || owner.get("operation").is_some())
}

/// Returns who would switch the sync on again, because it applies the owner itself.
pub(crate) fn above(tool: Tool, owner: &Value) -> Option<String> {
    let references = owner["metadata"]["ownerReferences"].as_array();
    let set = references.into_iter().flatten().find(|reference| reference["kind"] == "ApplicationSet");
    if let Some(set) = set {
        return Some(format!("ApplicationSet {}", set["name"].as_str().unwrap_or_default()));
    }
    let above = gitops::owner(owner)?;
    // It applies on the server, so a field that it does not name is not its own.
    let leaves_it = above.tool == Tool::FluxKustomize && tool != Tool::ArgoCd && !names_suspend(owner);
    (!leaves_it).then(|| above.to_string())
}

fn names_suspend(owner: &Value) -> bool {
    let entries = owner["metadata"]["managedFields"].as_array();
    let names = |entry: &Value| {
        entry["manager"] == gitops::KUSTOMIZE_MANAGER && entry.pointer("/fieldsV1/f:spec/f:suspend").is_some()
    };
    entries.into_iter().flatten().any(names)
}

#[cfg(test)]
#[path = "switch_tests.rs"]
mod tests;
