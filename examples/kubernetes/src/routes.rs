//! The ways by which customers get to the shop, as its team wrote them down.

use hotfix_k8s::{HttpRouteTraffic, Traffic, VirtualServiceTraffic};
use serde_json::{Value, json};

use crate::objects::service;

/// How customers get to the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routes {
    /// By a Service alone.
    Service,
    /// By an Istio VirtualService.
    Istio,
    /// By a Gateway API HTTPRoute.
    Gateway,
}

impl Routes {
    pub(crate) fn traffic(self) -> Traffic {
        match self {
            Self::Service => Traffic::Service,
            Self::Istio => Traffic::VirtualService(VirtualServiceTraffic::default()),
            Self::Gateway => Traffic::HttpRoute(HttpRouteTraffic::default()),
        }
    }

    /// Returns what there is beside the Deployment and its Service: a Service for the second slot, and the route, with a
    /// header filter of the team's own that must stay as it is.
    pub(crate) fn objects(self) -> Vec<Value> {
        let route = match self {
            Self::Service => return Vec::new(),
            Self::Istio => json!({
                "apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService",
                "metadata": {"name": "shop"},
                "spec": {"hosts": ["shop"], "http": [{
                    "headers": {"request": {"set": {"x-team": "checkout"}}},
                    "route": [
                        {"destination": {"host": "shop"}, "weight": 100},
                        {"destination": {"host": "shop-hotfix"}, "weight": 0},
                    ],
                }]},
            }),
            Self::Gateway => json!({
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": {"name": "shop"},
                "spec": {"parentRefs": [{"name": "front"}], "hostnames": ["shop"], "rules": [{
                    "filters": [{
                        "type": "RequestHeaderModifier",
                        "requestHeaderModifier": {"set": [{"name": "x-team", "value": "checkout"}]},
                    }],
                    "backendRefs": [
                        {"name": "shop", "port": 80, "weight": 100},
                        {"name": "shop-hotfix", "port": 80, "weight": 0},
                    ],
                }]},
            }),
        };
        vec![service("shop-hotfix", "shop-hotfix"), route]
    }
}
