//! Which node a pod goes to.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorTerm, Pod};

/// A node, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
}

/// What becomes of a pod that no node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placement {
    /// It goes to this node.
    On(String),
    /// No node will do, for the reason in the message.
    Nowhere(String),
    /// Somebody else decides, or decides first.
    NotOurs,
}

/// Chooses among the nodes that the pod allows, by turns.
pub(super) fn place(pod: &Pod, places: &[Place], turn: usize) -> Placement {
    let Some(spec) = &pod.spec else { return Placement::NotOurs };
    let other_scheduler = spec.scheduler_name.as_deref().is_some_and(|name| name != "default-scheduler");
    let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
    if other_scheduler || gated || spec.node_name.is_some() || pod.metadata.deletion_timestamp.is_some() {
        return Placement::NotOurs;
    }
    let fitting: Vec<&Place> = places.iter().filter(|place| allows(pod, place)).collect();
    match fitting.get(turn % fitting.len().max(1)) {
        Some(place) => Placement::On(place.name.clone()),
        None => Placement::Nowhere(format!(
            "0/{0} nodes are available: {0} node(s) didn't match Pod's node affinity/selector.",
            places.len()
        )),
    }
}

fn allows(pod: &Pod, place: &Place) -> bool {
    let selector = pod.spec.iter().flat_map(|spec| spec.node_selector.iter().flatten());
    let mut selector = selector;
    let terms = required_terms(pod);
    selector.all(|(key, value)| place.labels.get(key) == Some(value))
        && (terms.is_empty() || terms.iter().any(|term| names(term, place)))
}

fn required_terms(pod: &Pod) -> &[NodeSelectorTerm] {
    let affinity = pod.spec.as_ref().and_then(|spec| spec.affinity.as_ref()?.node_affinity.as_ref());
    let required =
        affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    required.map_or(&[], |required| &required.node_selector_terms)
}

/// The form in which a DaemonSet says which node a pod is for; no other affinity is understood.
fn names(term: &NodeSelectorTerm, place: &Place) -> bool {
    let fields = term.match_fields.iter().flatten();
    let named = fields.filter(|field| field.key == "metadata.name" && field.operator == "In");
    let mut named = named.flat_map(|field| field.values.iter().flatten());
    term.match_expressions.is_none() && named.any(|name| *name == place.name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn places() -> Vec<Place> {
        let place = |name: &str, zone: &str| Place {
            name: name.to_owned(),
            labels: [("zone".to_owned(), zone.to_owned())].into(),
        };
        vec![place("one", "a"), place("two", "b")]
    }

    fn placed(spec: Value, turn: usize) -> Placement {
        let pod = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        place(&pod, &places(), turn)
    }

    #[test]
    fn pods_go_to_the_nodes_that_they_allow_by_turns() {
        let containers = json!([{"name": "shop"}]);
        let anywhere = json!({"containers": containers});
        assert_eq!(placed(anywhere.clone(), 0), Placement::On("one".to_owned()));
        assert_eq!(placed(anywhere, 1), Placement::On("two".to_owned()));
        let in_b = json!({"containers": containers, "nodeSelector": {"zone": "b"}});
        assert_eq!(placed(in_b, 0), Placement::On("two".to_owned()));
        let daemon = json!({"containers": containers, "affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["two"]}]}
            ]}
        }}});
        assert_eq!(placed(daemon, 0), Placement::On("two".to_owned()));
    }

    #[test]
    fn a_pod_that_fits_nowhere_is_told_why() {
        let spec = json!({"containers": [{"name": "shop"}], "nodeSelector": {"zone": "c"}});
        let message = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
        assert_eq!(placed(spec, 0), Placement::Nowhere(message.to_owned()));
    }

    #[test]
    fn pods_of_others_are_left_to_them() {
        let containers = json!([{"name": "shop"}]);
        let gated = json!({"containers": containers, "schedulingGates": [{"name": "wait"}]});
        assert_eq!(placed(gated, 0), Placement::NotOurs);
        let theirs = json!({"containers": containers, "schedulerName": "theirs"});
        assert_eq!(placed(theirs, 0), Placement::NotOurs);
    }
}
