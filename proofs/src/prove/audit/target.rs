//! A local target: its write log and its state file, read as plain JSON.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::journal::{Journal, stamp};
use super::{Findings, Stamp, read_text};

/// The targets, as folders below the state directory.
pub(super) const TARGETS: [&str; 2] = ["staging/shop", "production/shop"];

fn folder(state: &Path, name: &str) -> PathBuf {
    state.join("targets").join(name)
}

pub(super) fn writes_text(state: &Path, name: &str) -> Result<String, String> {
    read_text(&folder(state, name).join("writes.jsonl"))
}

/// Checks every accepted mutation against the journal.
pub(super) fn check_writes(state: &Path, name: &str, journal: &Journal, findings: &mut Findings) {
    let Some(mut writes) = findings.read(writes(state, name)) else { return };
    // The newest write is in the state file before it is in the log.
    if let Some(newest) = findings.read(newest(state, name))
        && writes.last().is_none_or(|last| last["number"] != newest["number"])
    {
        writes.push(newest);
    }
    let intents = journal.intents();
    let (mut before, mut applied): (Stamp, _) = ((0, 0), BTreeSet::new());
    for (number, write) in (1_u64..).zip(&writes) {
        let here = || format!("write {number} of {name}");
        findings.check(write["number"] == number, || format!("{} has number {}", here(), write["number"]));
        let stamp = stamp(&write["stamp"]).unwrap_or_default();
        findings.check(stamp > before, || format!("{}: stamp {stamp:?} is not above {before:?}", here()));
        before = stamp;
        let (change, key) = (&write["change"]["change"], write["change"]["key"].as_str().unwrap_or_default());
        if change == "applied" {
            findings.check(applied.insert(key.to_owned()), || format!("{}: {key} was applied twice", here()));
        }
        if change != "sealed" && stamp.0 > 0 {
            let intent = intents.get(&stamp).map(|intent| intent.key.as_str());
            findings.check(intent == Some(key), || {
                format!("{}: {key} at {stamp:?} was accepted, committed is {intent:?}", here())
            });
        }
    }
}

/// Checks that the target wants one release live with all the traffic, and nothing else.
pub(super) fn check_live(state: &Path, name: &str, tree: &str, findings: &mut Findings) {
    let Some(target) = findings.read(state_file(state, name)) else { return };
    let desired = &target["desired"];
    let live = desired["live"].as_str().unwrap_or_default();
    let artifact = &desired["slots"][live]["release"]["artifact"]["tree"];
    findings.check(artifact == tree, || format!("{name} has {artifact} live in {live:?}, not {tree}"));
    let filled: Vec<_> = slots(desired).map(|(slot, _)| slot).collect();
    findings.check(filled == [live], || format!("{name} has the slots {filled:?} filled, live is {live}"));
    let weights = desired["weights"].to_string();
    let all = desired["weights"][live] == 100;
    findings.check(all, || format!("the traffic of {name} goes to {weights}, live is {live}"));
}

/// The slots that hold a release, with what they hold.
fn slots(desired: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let slots = desired["slots"].as_object().into_iter().flatten();
    slots.filter(|(_, filling)| !filling.is_null()).map(|(slot, filling)| (slot.as_str(), filling))
}

/// How many instances the target wants.
pub(super) fn replicas(state: &Path, name: &str) -> Result<u64, String> {
    let target = state_file(state, name)?;
    Ok(slots(&target["desired"]).map(|(_, filling)| filling["replicas"].as_u64().unwrap_or(0)).sum())
}

fn state_file(state: &Path, name: &str) -> Result<Value, String> {
    let path = folder(state, name).join("state.json");
    serde_json::from_str(&read_text(&path)?).map_err(|error| format!("{}: {error}", path.display()))
}

fn newest(state: &Path, name: &str) -> Result<Value, String> {
    Ok(state_file(state, name)?["last_write"].clone())
}

fn writes(state: &Path, name: &str) -> Result<Vec<Value>, String> {
    let text = writes_text(state, name)?;
    let read = |line: &str| {
        serde_json::from_str(line).map_err(|error| format!("a write of {name}: {error}: {line}"))
    };
    text.lines().map(read).collect()
}
