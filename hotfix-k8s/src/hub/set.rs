//! StatefulSets and DaemonSets, each of which is both slots of its workload.

use std::marker::PhantomData;

use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use kube::core::ApiResource;
use serde_json::Value;

use super::{Kept, State};
use crate::facts::DeploymentFacts;
use crate::in_place::{SetKind, View};
use crate::pod;
use crate::slot::Side;

pub(super) type StatefulSetFacts = SetFacts<StatefulSet>;
pub(super) type DaemonSetFacts = SetFacts<DaemonSet>;

/// What is kept of an object.
pub(super) struct SetFacts<K> {
    key: String,
    version: u64,
    /// Nothing while its annotations cannot be read; then it cannot be observed either.
    slots: [Option<DeploymentFacts>; 2],
    kind: PhantomData<fn() -> K>,
}

pub(super) trait Set: 'static {
    const KIND: SetKind;
}

impl Set for StatefulSet {
    const KIND: SetKind = SetKind::StatefulSet;
}

impl Set for DaemonSet {
    const KIND: SetKind = SetKind::DaemonSet;
}

/// How a workload is called among others.
pub(super) fn key(kind: SetKind, name: &str) -> String {
    format!("{}/{name}", kind.name())
}

impl<K> Clone for SetFacts<K> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), version: self.version, slots: self.slots.clone(), kind: PhantomData }
    }
}

impl<K: Set> Kept for SetFacts<K> {
    const KIND: &'static str = K::KIND.name();

    fn resource() -> ApiResource {
        K::KIND.resource()
    }

    fn read(object: &Value) -> Self {
        let view = View::read(K::KIND, object).ok();
        let slots = Side::BOTH.map(|side| view.as_ref().map(|view| view.facts(side, object)));
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let version = pod::version(&object["metadata"]);
        Self { key: key(K::KIND, name), version, slots, kind: PhantomData }
    }

    fn name(&self) -> &str {
        &self.key
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn put(self, state: &mut State) {
        state.change(&self.key, |cell| cell.put(self.slots.into()));
    }

    fn take(state: &mut State, name: &str) {
        state.change(name, |cell| cell.put(Vec::new()));
    }

    fn names(state: &State) -> Vec<String> {
        state.known(|name| name.split_once('/').is_some_and(|(kind, _)| kind == K::KIND.name()))
    }
}
