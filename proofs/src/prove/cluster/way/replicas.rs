//! One Service selects the pods of both Deployments, which get about their share of the pods.

use std::num::NonZeroU16;

use hotfix_core::request::Strategy;
use hotfix_k8s::{ReplicasTraffic, Traffic, WorkloadKind};
use serde_json::Value;

use super::{Depth, Kind, OF_DEPLOYMENTS, Shares, Way, deployment, replica_set};

pub(in super::super) const REPLICAS: Way = Way {
    name: "replicas",
    depth: Depth::InTurn,
    strategy: Strategy::Canary,
    kind: WorkloadKind::Deployment,
    traffic: || Traffic::Replicas(ReplicasTraffic::default()),
    pods: NonZeroU16::new(2).unwrap(),
    workload: deployment,
    beside: Vec::new,
    route: Kind::SERVICE,
    ours: &[OF_DEPLOYMENTS, ("services", &["/spec/selector/pod-template-hash"])],
    shares,
    serves: |side, pod| side.is_empty() || replica_set(pod).is_some_and(|(_, hash)| hash == side),
};

/// All of the traffic is with the pods of one template, or with all pods, which have no name.
fn shares(service: &Value) -> Shares {
    let hash = service.pointer("/spec/selector/pod-template-hash").and_then(Value::as_str);
    [(hash.unwrap_or_default().to_owned(), 100)].into()
}
