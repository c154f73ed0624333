//! A VirtualService of Istio splits the traffic between two Services.

use std::num::NonZeroU16;

use hotfix_core::request::Strategy;
use hotfix_k8s::{Traffic, VirtualServiceTraffic, WorkloadKind};
use serde_json::{Value, json};

use super::{Depth, Kind, OF_DEPLOYMENTS, Shares, Way, deployment, is_of_deployment, of_list};
use crate::shop;

pub(in super::super) const VIRTUAL_SERVICE: Way = Way {
    name: "canary",
    depth: Depth::Whole,
    strategy: Strategy::Canary,
    kind: WorkloadKind::Deployment,
    traffic: || Traffic::VirtualService(VirtualServiceTraffic::default()),
    pods: NonZeroU16::MIN,
    workload: deployment,
    beside,
    route: Kind {
        group: "networking.istio.io",
        version: "v1",
        kind: "VirtualService",
        plural: "virtualservices",
    },
    ours: &[OF_DEPLOYMENTS, ("virtualservices", &["/spec/http/#/route/#/weight"])],
    shares,
    serves: is_of_deployment,
};

fn beside() -> Vec<Value> {
    let to = |host: &str, weight: u8| json!({"destination": {"host": host}, "weight": weight});
    let split = json!([to("shop", 100), to("shop-hotfix", 0)]);
    vec![
        shop::service("shop-hotfix"),
        json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "shop"},
            "spec": {"hosts": ["shop"], "http": [{"route": split, "timeout": "30s"}]},
        }),
    ]
}

fn shares(route: &Value) -> Shares {
    of_list(route.pointer("/spec/http/0/route"), |entry| &entry["destination"]["host"])
}
