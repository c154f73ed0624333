//! An autoscaler that follows the live slot: which Deployment it scales, and a lower bound that keeps the side that is
//! left large enough to be gone back to.

use json_patch::PatchOperation;
use serde_json::{Value, json};

use crate::change::{set, set_at};
use crate::names::{self, annotation};
use crate::object::ObjectRef;

const TARGET: [&str; 3] = ["spec", "scaleTargetRef", "name"];
const MIN: [&str; 2] = ["spec", "minReplicas"];

/// Whether an autoscaler scales a Deployment.
pub(crate) fn scales(autoscaler: &Value, deployment: &ObjectRef) -> bool {
    let target = &autoscaler["spec"]["scaleTargetRef"];
    target["kind"] == deployment.kind && target["name"] == *deployment.name
}

/// Returns what has it scale a Deployment within its own bounds.
pub(crate) fn follow(autoscaler: &Value, deployment: &ObjectRef) -> Vec<PatchOperation> {
    let target = set(autoscaler, TARGET, Some(deployment.name.as_str().into()));
    [target, free(autoscaler)].concat()
}

/// Returns what keeps it from going below so many pods; what it was is noted beside.
pub(crate) fn hold(autoscaler: &Value, replicas: u16) -> Vec<PatchOperation> {
    let spec = &autoscaler["spec"];
    let most = spec["maxReplicas"].as_u64().unwrap_or(u64::MAX);
    let (min, wanted) = (spec["minReplicas"].as_u64().unwrap_or(1), u64::from(replicas).min(most));
    if wanted <= min {
        return Vec::new();
    }
    let was = noted(autoscaler).map_or_else(|| spec["minReplicas"].clone(), |note| note["was"].clone());
    let note = json!({"was": was, "held": wanted}).to_string();
    let mut patch = set(autoscaler, MIN, Some(wanted.into()));
    patch.extend(set_at(autoscaler, annotation(names::BOUND), Some(note.into())));
    patch
}

/// Returns what gives it its lower bound back. One that somebody else changed meanwhile stays.
pub(crate) fn free(autoscaler: &Value) -> Vec<PatchOperation> {
    let Some(note) = noted(autoscaler) else { return Vec::new() };
    let mut patch = set_at(autoscaler, annotation(names::BOUND), None);
    if autoscaler["spec"]["minReplicas"] == note["held"] {
        let was = &note["was"];
        patch.extend(set(autoscaler, MIN, (!was.is_null()).then(|| was.clone())));
    }
    patch
}

fn noted(autoscaler: &Value) -> Option<Value> {
    serde_json::from_str(autoscaler["metadata"]["annotations"][names::BOUND].as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use json_patch::Patch;

    use super::*;

    fn applied(autoscaler: &Value, patch: &[PatchOperation]) -> Value {
        let mut after = autoscaler.clone();
        json_patch::patch(&mut after, &Patch(patch.to_vec())).unwrap();
        after
    }

    fn autoscaler(min: Value) -> Value {
        json!({
            "metadata": {"annotations": {"team": "shop"}},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
                "minReplicas": min, "maxReplicas": 6,
            },
        })
    }

    #[test]
    fn a_lower_bound_is_held_and_comes_back_as_it_was() {
        let [shop, copy] = ["shop", "shop-hotfix"].map(|name| ObjectRef::deployment("prod", name));
        let before = autoscaler(json!(2));
        assert!(scales(&before, &shop) && !scales(&before, &copy));
        assert_eq!(hold(&before, 2), []);
        let held = applied(&before, &hold(&before, 4));
        assert_eq!(held["spec"]["minReplicas"], 4);
        let more = applied(&held, &hold(&held, 9));
        assert_eq!(more["spec"]["minReplicas"], 6, "not above the upper bound");
        let moved = applied(&more, &follow(&more, &copy));
        assert!(scales(&moved, &copy));
        assert_eq!(applied(&moved, &follow(&moved, &shop)), before);
        assert_eq!(follow(&before, &shop), []);
    }

    #[test]
    fn a_bound_that_somebody_else_wrote_stays() {
        let before = autoscaler(json!(2));
        let mut held = applied(&before, &hold(&before, 4));
        held["spec"]["minReplicas"] = json!(3);
        assert_eq!(applied(&held, &free(&held)), autoscaler(json!(3)));
    }
}
