//! The few fields of a Deployment, or of a slot of another workload, that a watch keeps.

use hotfix_core::model::Fault;
use serde_json::Value;

use crate::names;
use crate::pod;
use crate::rollout::Rolled;
use crate::runs::Runs;
use crate::sight;

/// What is kept of a Deployment, or of a slot of another workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeploymentFacts {
    pub(crate) name: String,
    /// Rises with every change of the object; 0 when it is not known.
    pub(crate) version: u64,
    /// How many pods it wants; 0 when the slot was emptied.
    pub(crate) replicas: u16,
    /// How many of them can be ready at most, however many pods look so.
    pub(crate) most_ready: u16,
    /// How the pods of what it holds are recognised.
    pub(crate) runs: Runs,
    /// How far its controller is with them.
    pub(crate) rolled: Rolled,
    /// What its controller says is wrong.
    pub(crate) faults: Vec<Fault>,
}

impl DeploymentFacts {
    /// Reads a Deployment.
    pub(crate) fn read(deployment: &Value) -> Self {
        let metadata = &deployment["metadata"];
        let is_empty = metadata["annotations"][names::RELEASE] == names::EMPTY;
        let replicas = if is_empty { 0 } else { sight::replicas(deployment) };
        Self {
            name: metadata["name"].as_str().unwrap_or_default().to_owned(),
            version: pod::version(metadata),
            replicas,
            most_ready: replicas,
            runs: sight::runs(Some(deployment)),
            rolled: Rolled::read(deployment),
            faults: sight::deployment_faults(deployment),
        }
    }
}
