//! Somebody who says of pods that they run and are ready, where running them all would measure the machine.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt as _;
use hotfix_benches::Failure;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

/// The scheduler of these pods, which nobody is.
pub(super) const NOBODY: &str = "nobody";

/// How many statuses are written at a time.
const AT_A_TIME: usize = 8;

/// Writes the status of each such pod once, until this is dropped.
pub(super) async fn play(client: Client) {
    let pods = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let number = AtomicU32::new(0);
    let written = pods.default_backoff().applied_objects().filter_map(|pod| async { wanted(pod.ok()?) });
    let written = written.map(|pod| write(&client, pod, number.fetch_add(1, Ordering::Relaxed)));
    written
        .buffer_unordered(AT_A_TIME)
        .for_each(|done| async {
            // The pod may be gone meanwhile; one that is not is missed where it is waited for.
            let _gone = done;
        })
        .await;
}

fn wanted(pod: Pod) -> Option<Pod> {
    let is_of_nobody = pod.spec.as_ref()?.scheduler_name.as_deref() == Some(NOBODY);
    let is_written = pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some());
    (is_of_nobody && !is_written && pod.metadata.deletion_timestamp.is_none()).then_some(pod)
}

async fn write(client: &Client, pod: Pod, number: u32) -> Result<(), Failure> {
    let namespace = pod.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let status = json!({"status": status(&pod, number)});
    api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

fn status(pod: &Pod, number: u32) -> Value {
    let since = &pod.metadata.creation_timestamp;
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": since});
    let [_, high, middle, low] = number.to_be_bytes();
    let address = format!("10.{high}.{middle}.{low}");
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers).map(|container| {
        json!({
            "name": container.name, "image": container.image, "imageID": container.image, "containerID": "none://",
            "ready": true, "started": true, "restartCount": 0, "state": {"running": {"startedAt": since}},
        })
    });
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    json!({
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": since,
        "conditions": conditions,
        "containerStatuses": containers.collect::<Vec<_>>(),
    })
}
