//! A pod whose process ends, as its status tells of it.

use hotfix_benches::Failure;
use hotfix_testkit::cluster::DemoPod;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::core::DynamicObject;
use serde_json::Value;

use super::seen::Seen;
use crate::compare::clock::Stopwatch;

/// Ends the process of the first of some pods, and returns a watch that was started when its status said so.
pub(super) async fn end_one(pods: &[Pod], api: Api<DynamicObject>) -> Result<Stopwatch, Failure> {
    let pod = pods.first().ok_or_else(|| Failure::new("the canary has no pod"))?;
    let name = pod.metadata.name.clone().unwrap_or_default();
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let restarts = statuses.and_then(|all| all.first()).map_or(0, |status| i64::from(status.restart_count));
    let mut seen = Seen::follow(api, &name);
    if let Some(demo) = DemoPod::of(pod) {
        demo.crash().await;
    }
    seen.until("the pod says that its container ended", |pod| has_ended(pod, restarts)).await?;
    Ok(Stopwatch::start())
}

/// Whether the container has ended since it had been restarted so often.
fn has_ended(pod: &Value, restarts: i64) -> bool {
    let status = &pod["status"]["containerStatuses"][0];
    status["state"]["terminated"].is_object()
        || status["restartCount"].as_i64().is_some_and(|count| count > restarts)
}
