//! A gate that decides which pods are ready, whatever they run: on any cluster, and past no route to a pod.

use std::fmt;
use std::pin::pin;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use super::chance;

/// The condition that the gate sets, and the label of the pods that it is for.
const GATE: &str = "hotfix.dev/test-gate";

/// Lets pods become ready that it is told to let, and closes again for those that it is told to. It is for the pods of
/// the templates that it was put in. It works until it is dropped.
pub struct ReadinessGate {
    client: Client,
    /// The value of the label.
    mark: String,
    task: AbortHandle,
}

impl ReadinessGate {
    /// Starts a gate that lets a pod in once, as soon as it is there, if `lets` says so. The user of the client may watch
    /// pods everywhere and write their status. It lives in the runtime that this is called in.
    #[must_use = "it ends when this is dropped"]
    pub fn start(client: Client, lets: impl Fn(&Pod) -> bool + Send + 'static) -> Self {
        let mark = chance::word();
        let task = tokio::spawn(follow(client.clone(), mark.clone(), lets)).abort_handle();
        Self { client, mark, task }
    }

    /// Puts the gate into a template of pods.
    pub fn put_in(&self, template: &mut Value) {
        template["metadata"]["labels"][GATE] = json!(self.mark);
        template["spec"]["readinessGates"] = json!([{"conditionType": GATE}]);
    }

    /// Takes the readiness of these pods away, for as long as they are there.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn close(&self, pods: &[Pod]) -> Result<(), kube::Error> {
        for pod in pods {
            write(&self.client, pod, "False").await?;
        }
        Ok(())
    }
}

impl fmt::Debug for ReadinessGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadinessGate").field("mark", &self.mark).finish_non_exhaustive()
    }
}

impl Drop for ReadinessGate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(client: Client, mark: String, lets: impl Fn(&Pod) -> bool) {
    let gated = watcher::Config::default().labels(&format!("{GATE}={mark}"));
    let events = watcher::watcher(Api::<Pod>::all(client.clone()), gated).default_backoff();
    let mut events = pin!(events);
    while let Some(event) = events.next().await {
        let Ok(Event::Apply(pod) | Event::InitApply(pod)) = event else { continue };
        if !is_decided(&pod) && lets(&pod) {
            // A pod that is gone needs nothing, and of any other this is tried again with what happens to it next.
            let _gone = write(&client, &pod, "True").await;
        }
    }
}

fn is_decided(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == GATE)
}

async fn write(client: &Client, pod: &Pod, status: &str) -> Result<(), kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let conditions = json!({"status": {"conditions": [{"type": GATE, "status": status}]}});
    pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(conditions))
        .await
        .map(|_| ())
}
