//! The ways in which a release gets its traffic. Each is a file that says what differs.

mod http_route;
mod replicas;
mod stateful_set;
mod switch;
mod virtual_service;

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use hotfix_core::model::{ImageReference, Target};
use hotfix_core::request::Strategy;
use hotfix_k8s::{KubernetesConfig, TargetConfig, Traffic, WorkloadKind};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;

use crate::prove::world::Successors;
use crate::shop;

pub(super) use virtual_service::VIRTUAL_SERVICE;

/// Every way that is proven.
pub(super) const ALL: [&Way; 5] = [
    &switch::SWITCH,
    &VIRTUAL_SERVICE,
    &http_route::HTTP_ROUTE,
    &replicas::REPLICAS,
    &stateful_set::STATEFUL_SET,
];

/// How a release gets its traffic.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) depth: Depth,
    pub(super) strategy: Strategy,
    pub(super) kind: WorkloadKind,
    traffic: fn() -> Traffic,
    /// How many pods a release has. What several of them do is not what kills are about, unless they are the traffic.
    pub(super) pods: NonZeroU16,
    /// The workload with the image that it has at first.
    pub(super) workload: fn(&ImageReference, NonZeroU16) -> Value,
    /// What there is beside the workload and its Service.
    pub(super) beside: fn() -> Vec<Value>,
    /// The object that says which slot gets which traffic. Every verb begins with it.
    pub(super) route: Kind,
    /// The fields that are ours, of each kind of objects, beside our annotations. `#` is a place in a list.
    pub(super) ours: &'static [(&'static str, &'static [&'static str])],
    /// Which part of the traffic a route sends to which side, in percent.
    pub(super) shares: fn(&Value) -> Shares,
    /// Whether a pod, by its name, is one of a side.
    pub(super) serves: fn(side: &str, pod: &str) -> bool,
}

/// Parts of the traffic in percent, by the name that a route has for a side.
pub(super) type Shares = BTreeMap<String, u64>;

/// How much of the matrix is played. What is the same whichever way is looked at where there is most of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every effect with every successor, and what a run does beside its effects.
    Whole,
    /// The effects that change the route, with every successor.
    Route,
    /// Every effect, each moment of it with one successor.
    InTurn,
}

impl Depth {
    pub(super) const fn successors(self) -> Successors {
        match self {
            Self::Whole | Self::Route => Successors::All,
            Self::InTurn => Successors::InTurn,
        }
    }

    /// How many runs are killed at random times.
    pub(super) const fn random_runs(self) -> u64 {
        match self {
            Self::Whole | Self::Route => 12,
            Self::InTurn => 6,
        }
    }

    /// How many cells a sample has.
    pub(super) const fn sample(self) -> usize {
        match self {
            Self::Whole | Self::Route => 6,
            Self::InTurn => 2,
        }
    }
}

/// A kind of objects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    /// As it stands in paths.
    pub(super) plural: &'static str,
}

impl Kind {
    pub(super) const DEPLOYMENT: Self =
        Self { group: "apps", version: "v1", kind: "Deployment", plural: "deployments" };
    const STATEFUL_SET: Self =
        Self { group: "apps", version: "v1", kind: "StatefulSet", plural: "statefulsets" };
    const SERVICE: Self = Self { group: "", version: "v1", kind: "Service", plural: "services" };

    pub(super) fn api(self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk(self.group, self.version, self.kind),
            self.plural,
        );
        Api::namespaced_with(client.clone(), namespace, &resource)
    }
}

impl Way {
    /// The object that carries the release.
    pub(super) const fn main(&self) -> Kind {
        match self.kind {
            WorkloadKind::StatefulSet => Kind::STATEFUL_SET,
            _ => Kind::DEPLOYMENT,
        }
    }

    /// The route as the server's log names it, such as `services/shop`.
    pub(super) fn anchor(&self) -> String {
        format!("{}/shop", self.route.plural)
    }

    /// What a deployer is told of a target.
    pub(super) fn config(&self, namespace: &str) -> TargetConfig {
        TargetConfig {
            namespace: namespace.to_owned(),
            deployment: "shop".to_owned(),
            workload: self.kind,
            traffic: (self.traffic)(),
            ..TargetConfig::default()
        }
    }

    pub(super) fn targets(&self, namespace: &str, target: Target) -> KubernetesConfig {
        KubernetesConfig { targets: [(target, self.config(namespace))].into(), ..KubernetesConfig::default() }
    }
}

/// What is ours of a Deployment that has a copy.
const OF_DEPLOYMENTS: (&str, &[&str]) = (
    "deployments",
    &[
        "/spec/template",
        "/spec/replicas",
        "/spec/strategy",
        "/spec/minReadySeconds",
        "/spec/progressDeadlineSeconds",
        "/spec/paused",
    ],
);

/// The Deployment of its team.
fn deployment(image: &ImageReference, pods: NonZeroU16) -> Value {
    shop::deployment("shop", image, pods)
}

/// Where a side is called as its Deployment is: a pod is named after that, the hash of its template, and a word of its
/// own.
fn is_of_deployment(side: &str, pod: &str) -> bool {
    replica_set(pod).is_some_and(|(deployment, _)| deployment == side)
}

/// The Deployment of a pod, and the hash of its template.
fn replica_set(pod: &str) -> Option<(&str, &str)> {
    pod.rsplit_once('-')?.0.rsplit_once('-')
}

/// The shares in a list of destinations.
fn of_list(list: Option<&Value>, side: fn(&Value) -> &Value) -> Shares {
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    let share =
        |entry: &Value| Some((side(entry).as_str()?.to_owned(), entry["weight"].as_u64().unwrap_or(0)));
    entries.filter_map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::http_route::HTTP_ROUTE;
    use super::replicas::REPLICAS;
    use super::stateful_set::STATEFUL_SET;
    use super::switch::SWITCH;
    use super::*;

    #[test]
    fn every_way_reads_the_traffic_of_the_objects_that_it_begins_with() {
        for way in ALL {
            let route = (way.beside)().into_iter().find(|object| object["kind"] == way.route.kind);
            let route = route.unwrap_or_else(|| match way.route.plural {
                "services" => shop::service("shop"),
                _ => Value::Null,
            });
            let shares = (way.shares)(&route);
            assert_eq!(shares.values().sum::<u64>(), 100, "{}: {shares:?}", way.name);
            assert!(way.ours.iter().any(|(kind, _)| *kind == way.main().plural), "{}", way.name);
        }
    }

    #[test]
    fn a_pod_is_told_by_its_name() {
        let cases = [
            (&SWITCH, "shop", "shop-86f-aaaaa", true),
            (&SWITCH, "shop", "shop-hotfix-5d4-bbbbb", false),
            (&HTTP_ROUTE, "shop-hotfix", "shop-hotfix-5d4-bbbbb", true),
            (&REPLICAS, "5d4", "shop-hotfix-5d4-bbbbb", true),
            (&REPLICAS, "86f", "shop-hotfix-5d4-bbbbb", false),
            (&REPLICAS, "", "shop-hotfix-5d4-bbbbb", true),
            (&STATEFUL_SET, "shop", "shop-0", true),
        ];
        for (way, side, pod, serves) in cases {
            assert_eq!((way.serves)(side, pod), serves, "{}: {side}, {pod}", way.name);
        }
    }
}
