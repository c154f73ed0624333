//! Deployments, each of which is one slot of its workload, or both where its image is written in git.

use k8s_openapi::api::apps::v1::Deployment;
use kube::core::ApiResource;
use serde_json::Value;

use super::{Kept, State};
use crate::facts::DeploymentFacts;
use crate::in_git::{Marks, View};
use crate::slot::Side;

/// What is kept of a Deployment.
#[derive(Clone)]
pub(super) struct DeploymentSlots {
    name: String,
    version: u64,
    /// Itself as one slot; then both slots as the marks have them where its image is written in git.
    slots: [Option<DeploymentFacts>; 3],
}

impl Kept for DeploymentSlots {
    const KIND: &'static str = "Deployment";

    fn resource() -> ApiResource {
        ApiResource::erase::<Deployment>(&())
    }

    fn read(object: &Value) -> Self {
        let facts = DeploymentFacts::read(object);
        let (name, version) = (facts.name.clone(), facts.version);
        let [main, hotfix] = match Marks::read(object) {
            Ok(Some(marks)) => {
                let view = View::of(marks, object);
                Side::BOTH.map(|side| Some(view.facts(side, object)))
            }
            // One that cannot be read cannot be observed either.
            Ok(None) | Err(_) => [Some(facts.clone()), None],
        };
        Self { name, version, slots: [Some(facts), main, hotfix] }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn put(self, state: &mut State) {
        state.change(&self.name, |cell| cell.put(self.slots.into()));
    }

    fn take(state: &mut State, name: &str) {
        state.change(name, |cell| cell.put(Vec::new()));
    }

    fn names(state: &State) -> Vec<String> {
        state.known(|name| !name.contains('/'))
    }
}
