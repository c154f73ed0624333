//! An HTTPRoute of the Gateway API splits the traffic between two Services.

use std::num::NonZeroU16;

use hotfix_core::request::Strategy;
use hotfix_k8s::{HttpRouteTraffic, Traffic, WorkloadKind};
use serde_json::{Value, json};

use super::{Depth, Kind, OF_DEPLOYMENTS, Shares, Way, deployment, is_of_deployment, of_list};
use crate::shop;

pub(in super::super) const HTTP_ROUTE: Way = Way {
    name: "http-route",
    depth: Depth::InTurn,
    strategy: Strategy::Canary,
    kind: WorkloadKind::Deployment,
    traffic: || Traffic::HttpRoute(HttpRouteTraffic::default()),
    pods: NonZeroU16::MIN,
    workload: deployment,
    beside,
    route: Kind {
        group: "gateway.networking.k8s.io",
        version: "v1",
        kind: "HTTPRoute",
        plural: "httproutes",
    },
    ours: &[OF_DEPLOYMENTS, ("httproutes", &["/spec/rules/#/backendRefs/#/weight"])],
    shares,
    serves: is_of_deployment,
};

fn beside() -> Vec<Value> {
    let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    let split = json!([to("shop", 100), to("shop-hotfix", 0)]);
    vec![
        shop::service("shop-hotfix"),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "shop"},
            "spec": {"parentRefs": [{"name": "front"}], "hostnames": ["shop"], "rules": [
                {"backendRefs": split, "timeouts": {"request": "30s"}},
            ]},
        }),
    ]
}

fn shares(route: &Value) -> Shares {
    of_list(route.pointer("/spec/rules/0/backendRefs"), |entry| &entry["name"])
}
