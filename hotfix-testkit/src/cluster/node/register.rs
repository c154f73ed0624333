//! The nodes as the API server knows them.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::super::clock;
use super::schedule::Place;
use super::status::HOST;

/// Returns the node with the number.
pub(super) fn place(number: u16) -> Place {
    let name = format!("node-{number}");
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let labels = [label("kubernetes.io/hostname", &name), label("kubernetes.io/os", "linux")];
    Place { name, labels: labels.into() }
}

/// Makes the node, ready and without the taint that one gets that is not known to be ready.
pub(super) async fn register(nodes: &Api<Node>, place: &Place) -> Result<(), kube::Error> {
    let now = clock::now();
    let capacity = json!({"cpu": "64", "memory": "256Gi", "pods": "1000"});
    let node = serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": place.name, "labels": place.labels},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [{"type": "InternalIP", "address": HOST}, {"type": "Hostname", "address": place.name}],
            "conditions": [{
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "the test node is posting ready status",
                "lastHeartbeatTime": now,
                "lastTransitionTime": now,
            }],
        },
    }));
    let node: Node = node.map_err(kube::Error::SerdeError)?;
    nodes.create(&PostParams::default(), &node).await?;
    let untainted = Patch::Merge(json!({"spec": {"taints": null}}));
    nodes.patch(&place.name, &PatchParams::default(), &untainted).await.map(|_| ())
}
