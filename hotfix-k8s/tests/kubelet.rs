//! Plays the kubelet for the pods of a namespace: each becomes what its image says.

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// What an image of this name never does.
pub(crate) const NEVER_READY: &str = "never-ready";

/// Ends with the test.
#[derive(Debug)]
pub(crate) struct Kubelet(JoinHandle<()>);

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Kubelet {
    pub(crate) fn start(client: Client, namespace: &str) -> Self {
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        Self(tokio::spawn(async move {
            let mut events =
                std::pin::pin!(watcher(pods.clone(), watcher::Config::default()).applied_objects());
            while let Some(event) = events.next().await {
                let Ok(pod) = event else { continue };
                let is_new = pod.status.as_ref().is_none_or(|status| status.container_statuses.is_none());
                if is_new && pod.metadata.deletion_timestamp.is_none() {
                    let image = image(&pod);
                    set(&pods, &pod, &running(&image, !image.contains(NEVER_READY))).await;
                }
            }
        }))
    }
}

/// Writes the status of a pod, as far as it still exists.
pub(crate) async fn set(pods: &Api<Pod>, pod: &Pod, status: &Value) {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let patch = Patch::Merge(json!({"status": status}));
    let written = pods.patch_status(name, &PatchParams::default(), &patch).await;
    if let Err(error) = written {
        assert!(matches!(&error, kube::Error::Api(status) if status.code == 404), "{error}");
    }
}

/// The status of a pod that runs.
pub(crate) fn running(image: &str, is_ready: bool) -> Value {
    let status = if is_ready { "True" } else { "False" };
    json!({
        "phase": "Running",
        "conditions": [
            {"type": "Ready", "status": status, "reason": "ContainersNotReady", "message": "as the test says"},
            {"type": "PodScheduled", "status": "True"},
        ],
        "containerStatuses": [container(image, &json!({"running": {}}), 0, is_ready)],
    })
}

/// The status of the one container.
pub(crate) fn container(image: &str, state: &Value, restarts: u32, is_ready: bool) -> Value {
    let digest = image.split_once('@').map_or_else(String::new, |(_, digest)| digest.to_owned());
    json!({
        "name": "web", "image": image, "imageID": format!("node/{image}@{digest}"), "ready": is_ready,
        "restartCount": restarts, "state": state,
    })
}

pub(crate) fn image(pod: &Pod) -> String {
    let spec = pod.spec.as_ref().map(|spec| &spec.containers[0]);
    spec.and_then(|container| container.image.clone()).unwrap_or_default()
}
