//! What a driver may touch: the fields that are its own, and nothing that it did not look at.

use std::collections::BTreeSet;

use super::Evidence;
use super::log::Change;
use crate::prove::audit::Findings;

/// Where our annotations are.
const ANNOTATIONS: &str = "/metadata/annotations/hotfix.dev~1";

/// Checks every change of every driver.
pub(super) fn check(evidence: &Evidence<'_>, changes: &[Change], findings: &mut Findings) {
    for change in changes.iter().filter(|change| evidence.side(change).is_some()) {
        check_tests(change, findings);
        if change.is_of_pod() {
            check_pod(change, findings);
        } else if change.verb == "create" {
            check_create(evidence, change, findings);
        } else {
            check_fields(evidence, change, findings);
        }
    }
}

/// Whatever a change replaces or takes away it has looked at, and it is for the very object that was read.
fn check_tests(change: &Change, findings: &mut Findings) {
    let mut tested = BTreeSet::new();
    for operation in change.operations() {
        let path = operation["path"].as_str().unwrap_or_default();
        match operation["op"].as_str() {
            Some("test") => {
                tested.insert(path);
            }
            Some("replace" | "remove") => {
                // Whoever looked at a whole has looked at each part of it.
                let is_seen = tested.iter().any(|seen| is_below(path, seen));
                findings.check(is_seen, || {
                    format!("{} of {} overwrites {path} without having looked", change.verb, change.object)
                });
            }
            _ => {}
        }
    }
    // What has no fence to compare with yet is compared as a whole.
    let identity = if change.compares().is_some() { "/metadata/uid" } else { "/metadata/resourceVersion" };
    if change.verb == "patch" {
        findings.check(tested.contains(identity), || {
            format!("{} of {} may be for another object of that name", change.verb, change.object)
        });
    }
}

/// Nothing that is somebody else's is written.
fn check_fields(evidence: &Evidence<'_>, change: &Change, findings: &mut Findings) {
    let kind = change.object.split('/').next().unwrap_or_default();
    let ours = evidence.way.ours.iter().find(|(known, _)| *known == kind).map_or(&[][..], |(_, ours)| ours);
    let is_ours = |path: &str| {
        path == "/metadata/annotations"
            || path.starts_with(ANNOTATIONS)
            || ours.iter().any(|ours| is_below(path, ours))
    };
    for operation in change.operations().iter().filter(|operation| operation["op"] != "test") {
        let path = operation["path"].as_str().unwrap_or_default();
        // An object without annotations is given an empty list of them first.
        let is_sound = is_ours(path)
            && (path != "/metadata/annotations"
                || operation["value"].as_object().is_some_and(serde_json::Map::is_empty));
        findings.check(is_sound, || {
            format!("{} of {} writes {path}, which is not ours", change.verb, change.object)
        });
    }
}

/// Whether a path is that of a field, or below it.
fn is_below(path: &str, field: &str) -> bool {
    let mut parts = path.split('/');
    field.split('/').all(|wanted| {
        parts.next().is_some_and(|part| match wanted {
            "#" => !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()),
            wanted => part == wanted,
        })
    })
}

/// A create cannot be fenced: a target gets its objects before any run begins.
fn check_create(evidence: &Evidence<'_>, change: &Change, findings: &mut Findings) {
    let began = evidence.sides.iter().filter_map(|side| Some(side.journal.entries.first()?.at)).min();
    findings.check(began.is_none_or(|began| change.done <= began), || {
        format!("{} was created at {}, when a run had begun", change.object, change.begun)
    });
}

/// The delete of a pod carries no stamp. It is for a version of the pod, which a seal changes, and so does nothing else.
fn check_pod(change: &Change, findings: &mut Findings) {
    let is_bound = match change.verb.as_str() {
        "delete" => {
            let bounds = &change.body["preconditions"];
            bounds["uid"].is_string() && bounds["resourceVersion"].is_string()
        }
        "patch" => change.changes_only_the_fence(),
        _ => false,
    };
    findings.check(is_bound, || format!("{} of {} is bound to no version of it", change.verb, change.object));
}
