//! What an object is after a patch, for the tests of the backends.

use hotfix_core::model::{SlotName, Weights};
use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::destinations::{Recipients, Service};
use super::virtual_service::{Routes, VirtualService};
use crate::slot::Slots;

/// Applies a patch as the API server would.
pub(super) fn patched(object: &Value, patch: &[PatchOperation]) -> Value {
    let mut after = object.clone();
    json_patch::patch(&mut after, patch).expect("a patch of this object applies to it");
    after
}

/// A patch as JSON, to compare it with a golden one.
pub(super) fn json(patch: Vec<PatchOperation>) -> Value {
    serde_json::to_value(Patch(patch)).expect("a patch is JSON")
}

/// The VirtualService of the tests, with a Service for each slot.
pub(super) fn hosts() -> VirtualService {
    let service = |name: &str| Service { namespace: "prod".to_owned(), name: name.to_owned() };
    VirtualService {
        namespace: "prod".to_owned(),
        name: "shop".to_owned(),
        slots: slots(),
        destinations: Recipients::Hosts { main: service("shop"), hotfix: service("shop-hotfix") },
        routes: Routes::Every,
        testers: None,
    }
}

/// The slots of the tests.
pub(super) fn slots() -> Slots {
    Slots { main: slot("main"), hotfix: slot("hotfix") }
}

/// Weights that give the slot `hotfix` that percentage.
pub(super) fn hotfix(percent: u8) -> Weights {
    Weights::split(slot("main"), slot("hotfix"), percent).unwrap()
}

pub(super) fn slot(name: &str) -> SlotName {
    SlotName::new(name).unwrap()
}
