//! A Service selects one of two Deployments.

use std::num::NonZeroU16;

use hotfix_core::request::Strategy;
use hotfix_k8s::{Traffic, WorkloadKind};
use serde_json::Value;

use super::{Depth, Kind, OF_DEPLOYMENTS, Shares, Way, deployment, is_of_deployment};

pub(in super::super) const SWITCH: Way = Way {
    name: "switch",
    depth: Depth::Route,
    strategy: Strategy::BlueGreen,
    kind: WorkloadKind::Deployment,
    traffic: || Traffic::Service,
    pods: NonZeroU16::MIN,
    workload: deployment,
    beside: Vec::new,
    route: Kind::SERVICE,
    ours: &[OF_DEPLOYMENTS, ("services", &["/spec/selector/app"])],
    shares,
    serves: is_of_deployment,
};

/// The value of the label by which the Service selects is the name of a Deployment here.
fn shares(service: &Value) -> Shares {
    let app = service.pointer("/spec/selector/app").and_then(Value::as_str);
    app.map(|app| (app.to_owned(), 100)).into_iter().collect()
}
