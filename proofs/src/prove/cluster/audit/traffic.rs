//! Where the traffic was sent, and which pods were ready to take it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Evidence;
use super::log::Change;
use crate::prove::audit::Findings;

/// When a pod could take traffic, in microseconds since 1970; open while it still can.
type Times = Vec<(i64, Option<i64>)>;

/// Checks that no share was ever raised of a side that had no ready pod.
pub(super) fn check(evidence: &Evidence<'_>, changes: &[Change], findings: &mut Findings) {
    let ready = readiness(changes);
    let (way, anchor, mut route) = (evidence.way, evidence.way.anchor(), Value::Null);
    for change in changes.iter().filter(|change| change.object == anchor) {
        let before = (way.shares)(&route);
        match change.verb.as_str() {
            "create" => route = change.body.clone(),
            _ => change.operations().iter().for_each(|operation| apply(&mut route, operation)),
        }
        let after = (way.shares)(&route);
        let whole = after.values().sum::<u64>() == 100;
        findings.check(whole, || format!("the shares of {anchor} are {after:?}"));
        if change.verb == "create" {
            continue;
        }
        for (side, share) in
            after.into_iter().filter(|(side, share)| *share > before.get(side).copied().unwrap_or(0))
        {
            let can = |(pod, times): (&String, &Times)| {
                (way.serves)(&side, pod)
                    && times
                        .iter()
                        .any(|(from, to)| *from <= change.done && to.is_none_or(|to| to >= change.begun))
            };
            findings.check(ready.iter().any(can), || {
                format!("{side} was given {share} % at {} without a ready pod: {ready:?}", change.begun)
            });
        }
    }
}

/// Does what one operation of a JSON Patch says, where the object is known that far.
fn apply(object: &mut Value, operation: &Value) {
    let Some((parent, leaf)) = operation["path"].as_str().and_then(|path| path.rsplit_once('/')) else {
        return;
    };
    let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) else { return };
    match operation["op"].as_str() {
        Some("add" | "replace") => drop(parent.insert(leaf.to_owned(), operation["value"].clone())),
        Some("remove") => drop(parent.remove(leaf)),
        _ => {}
    }
}

/// Reads in the log when each pod was ready: from when the node said so until it said otherwise or somebody deleted it.
fn readiness(changes: &[Change]) -> BTreeMap<String, Times> {
    let mut ready: BTreeMap<String, Times> = BTreeMap::new();
    let mut going = BTreeSet::new();
    for change in changes {
        let mut words = change.object.split('/');
        let (Some("pods"), Some(pod), part) = (words.next(), words.next(), words.next()) else { continue };
        let is_ready = match (change.verb.as_str(), part) {
            ("delete", None) => {
                going.insert(pod);
                false
            }
            ("patch", Some("status")) if !going.contains(pod) => {
                let Some(is_ready) = said_ready(&change.body) else { continue };
                is_ready
            }
            _ => continue,
        };
        let times = ready.entry(pod.to_owned()).or_default();
        let open = times.last_mut().filter(|(_, to)| to.is_none());
        match (open, is_ready) {
            (None, true) => times.push((change.begun, None)),
            (Some(open), false) => open.1 = Some(change.done),
            _ => {}
        }
    }
    ready
}

fn said_ready(status: &Value) -> Option<bool> {
    let conditions = status.pointer("/status/conditions")?.as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    Some(ready["status"] == "True")
}
