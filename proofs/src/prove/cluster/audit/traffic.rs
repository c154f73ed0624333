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
    let mut route = Value::Null;
    for change in changes.iter().filter(|change| change.object == evidence.route) {
        let before = shares(&route);
        match change.verb.as_str() {
            "create" => route = change.body.clone(),
            _ => change.operations().iter().for_each(|operation| apply(&mut route, operation)),
        }
        let after = shares(&route);
        let whole = after.values().sum::<u64>() == 100;
        findings.check(whole, || format!("the shares of {} are {after:?}", evidence.route));
        if change.verb == "create" {
            continue;
        }
        for (side, share) in
            after.into_iter().filter(|(side, share)| *share > before.get(side).copied().unwrap_or(0))
        {
            let can = |(pod, times): (&String, &Times)| {
                deployment_of(pod) == Some(side.as_str())
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

/// Which part of the traffic a route sends to which Deployment, in percent. The value of the label by which a Service
/// selects is the name of a Deployment here, and so is the host of a destination.
pub(super) fn shares(route: &Value) -> BTreeMap<String, u64> {
    if let Some(app) = route.pointer("/spec/selector/app").and_then(Value::as_str) {
        return BTreeMap::from([(app.to_owned(), 100)]);
    }
    let routes = route.pointer("/spec/http/0/route").and_then(Value::as_array);
    let share = |destination: &Value| {
        let weight = destination["weight"].as_u64().unwrap_or(0);
        Some((destination["destination"]["host"].as_str()?.to_owned(), weight))
    };
    routes.into_iter().flatten().filter_map(share).collect()
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

/// A pod is named after its Deployment, the hash of its template, and a word of its own.
fn deployment_of(pod: &str) -> Option<&str> {
    let (replica_set, _) = pod.rsplit_once('-')?;
    Some(replica_set.rsplit_once('-')?.0)
}
