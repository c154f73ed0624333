//! A StatefulSet whose pods are replaced in place, and the traffic follows them.

use std::num::NonZeroU16;

use hotfix_core::model::ImageReference;
use hotfix_core::request::Strategy;
use hotfix_k8s::{Traffic, WorkloadKind};
use serde_json::{Value, json};

use super::{Depth, Kind, Way};
use crate::shop;

pub(in super::super) const STATEFUL_SET: Way = Way {
    name: "stateful-set",
    depth: Depth::InTurn,
    strategy: Strategy::Rolling,
    kind: WorkloadKind::StatefulSet,
    traffic: || Traffic::Service,
    pods: NonZeroU16::new(2).unwrap(),
    workload,
    beside: Vec::new,
    route: Kind::STATEFUL_SET,
    ours: &[("statefulsets", &["/spec/template", "/spec/updateStrategy", "/spec/replicas"])],
    // Nobody sends it anywhere: whoever is ready gets it.
    shares: |_| [("shop".to_owned(), 100)].into(),
    serves: |_, _| true,
};

fn workload(image: &ImageReference, pods: NonZeroU16) -> Value {
    let mut set = shop::deployment("shop", image, pods);
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("shop");
    set
}
