//! From the configured traffic backend to the one that reads and writes.

use hotfix_core::port::TrafficSplit;

use super::Route;
use super::http_route::{HttpRoute, Rules};
use super::ingress::CanaryIngress;
use super::service::ServiceSwitch;
use super::virtual_service::{self, Routes, VirtualService};
use crate::config::{Destinations, ReplicasTraffic, Traffic};
use crate::object::ObjectRef;
use crate::shape::{Names, Shape};
use crate::slot::{Side, Slots};

/// What splits the traffic of a target.
#[derive(Debug)]
pub(crate) enum Means {
    /// What an object says.
    Route(Box<dyn Route>),
    /// The numbers of pods.
    Pods(ReplicasTraffic),
}

impl Traffic {
    /// Returns the object that says how traffic is split.
    pub(crate) fn object(&self, namespace: &str, service: &str) -> ObjectRef {
        let object = |api_version, kind, name: &Option<String>, otherwise: &str| ObjectRef {
            api_version,
            kind,
            namespace: namespace.to_owned(),
            name: name.clone().unwrap_or_else(|| otherwise.to_owned()),
        };
        match self {
            Self::Service | Self::Replicas(_) => ObjectRef::service(namespace, service),
            Self::VirtualService(mesh) => {
                object("networking.istio.io/v1", "VirtualService", &mesh.name, service)
            }
            Self::HttpRoute(route) => {
                object("gateway.networking.k8s.io/v1", "HTTPRoute", &route.name, service)
            }
            Self::Ingress(ingress) => {
                object("networking.k8s.io/v1", "Ingress", &ingress.name, &format!("{service}-canary"))
            }
        }
    }

    /// Returns how finely it splits.
    pub(crate) const fn split(&self) -> TrafficSplit {
        match self {
            Self::Service => TrafficSplit::Switch,
            Self::VirtualService(_) | Self::HttpRoute(_) | Self::Ingress(_) | Self::Replicas(_) => {
                TrafficSplit::Percent
            }
        }
    }

    /// Returns whether the endpoints of the Service tell which slot gets traffic.
    pub(crate) const fn is_told_by_endpoints(&self) -> bool {
        matches!(self, Self::Service | Self::Replicas(_))
    }

    /// Returns the Service whose endpoints get what the route gives to a slot; `None` where the route is a Service itself
    /// and goes over to other endpoints when it has them.
    pub(crate) fn service_of(&self, side: Side, service: &str) -> Option<String> {
        let copy = match self {
            Self::Service | Self::Replicas(_) => return None,
            Self::VirtualService(mesh) => match &mesh.destinations {
                Destinations::Hosts { hotfix } => hotfix,
                Destinations::Subsets { .. } => return Some(service.to_owned()),
            },
            Self::HttpRoute(route) => &route.hotfix,
            Self::Ingress(ingress) => &ingress.hotfix,
        };
        Some(match side {
            Side::Main => service.to_owned(),
            Side::Hotfix => copy_of(service, copy.as_deref()),
        })
    }

    /// Returns what splits the traffic of a target.
    pub(crate) fn means(&self, names: &Names, shape: &Shape, slots: &Slots) -> Means {
        let (namespace, slots) = (names.route.namespace.clone(), slots.clone());
        let (name, service) = (names.route.name.clone(), names.service.name.clone());
        let copy = |named: &Option<String>| copy_of(&service, named.as_deref());
        let route: Box<dyn Route> = match self {
            Self::Replicas(allowed) => return Means::Pods(*allowed),
            Self::Service => Box::new(ServiceSwitch {
                object: names.route.clone(),
                slots,
                label: shape.label.clone(),
                main: shape.main.clone(),
                hotfix: shape.hotfix.clone(),
            }),
            Self::VirtualService(mesh) => {
                let host = |name: String| virtual_service::Service { namespace: namespace.clone(), name };
                let destinations = match &mesh.destinations {
                    Destinations::Hosts { hotfix } => virtual_service::Destinations::Hosts {
                        main: host(service.clone()),
                        hotfix: host(copy(hotfix)),
                    },
                    Destinations::Subsets { main, hotfix, .. } => virtual_service::Destinations::Subsets {
                        of: host(service.clone()),
                        main: main.clone(),
                        hotfix: hotfix.clone(),
                    },
                };
                let routes = match &mesh.routes {
                    none if none.is_empty() => Routes::Every,
                    named => Routes::Named(named.clone()),
                };
                let (namespace, testers) = (namespace.clone(), mesh.testers.clone());
                Box::new(VirtualService { namespace, name, slots, destinations, routes, testers })
            }
            Self::HttpRoute(route) => {
                let rules = match &route.rules {
                    none if none.is_empty() => Rules::Every,
                    named => Rules::Named(named.clone()),
                };
                let (services, main, hotfix) = (namespace.clone(), service.clone(), copy(&route.hotfix));
                let testers = route.testers.clone();
                Box::new(HttpRoute { namespace, name, slots, services, main, hotfix, rules, testers })
            }
            Self::Ingress(ingress) => {
                let hotfix = copy(&ingress.hotfix);
                Box::new(CanaryIngress { namespace, name, slots, hotfix })
            }
        };
        Means::Route(route)
    }
}

/// The Service of the copy.
fn copy_of(service: &str, named: Option<&str>) -> String {
    named.map_or_else(|| format!("{service}-hotfix"), str::to_owned)
}
