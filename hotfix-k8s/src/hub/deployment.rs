//! Deployments, each of which is one slot of its workload.

use k8s_openapi::api::apps::v1::Deployment;
use kube::core::ApiResource;
use serde_json::Value;

use super::{Kept, State};
use crate::facts::DeploymentFacts;

impl Kept for DeploymentFacts {
    const KIND: &'static str = "Deployment";

    fn resource() -> ApiResource {
        ApiResource::erase::<Deployment>(&())
    }

    fn read(object: &Value) -> Self {
        Self::read(object)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn put(self, state: &mut State) {
        let name = self.name.clone();
        state.change(&name, |cell| cell.put([Some(self), None]));
    }

    fn take(state: &mut State, name: &str) {
        state.change(name, |cell| cell.put([None, None]));
    }

    fn names(state: &State) -> Vec<String> {
        state.known(|name| !name.contains('/'))
    }
}
