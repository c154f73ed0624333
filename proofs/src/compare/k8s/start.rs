//! How soon a test has a cluster: from nothing to an API server with its controllers, and to a pod that is ready.

use std::num::NonZeroU16;
use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_testkit::cluster::{Behaviour, NodeOptions, TestCluster};
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};

use super::seen::Seen;
use crate::compare::case::{Better, Case, Figure, Goal};
use crate::compare::clock::{Stopwatch, median_millis};
use crate::shop;

/// How many clusters are started, one after the other.
const TIMES: usize = 10;

/// What was aimed at, in milliseconds.
const SOON: f64 = 5_000.0;

/// Starts clusters of their own, whatever cluster the environment names.
pub(super) async fn measure() -> Result<Vec<Case>, Failure> {
    let (mut servers, mut pods) = (Vec::with_capacity(TIMES), Vec::with_capacity(TIMES));
    for _ in 0..TIMES {
        let (server, pod) = once().await?;
        servers.push(server);
        pods.push(pod);
    }
    let cases = [("server", servers), ("pod-ready", pods)].map(|(name, times)| {
        let slowest = times.iter().max().map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        let slowest = Figure { value: slowest, unit: "ms" };
        let told = Case {
            name: format!("start/{name}-p50"),
            ours: median_millis(&times),
            peer: None,
            better: Better::Less,
            goal: Goal::Nothing,
        };
        [told, Case::alone(format!("start/{name}-max"), slowest, SOON)]
    });
    Ok(cases.into_iter().flatten().collect())
}

/// From the call on: when the cluster can be used, and when the first pod of a Deployment is ready.
async fn once() -> Result<(Duration, Duration), Failure> {
    let begun = Stopwatch::start();
    let cluster = TestCluster::start_with(NodeOptions::default()).await?;
    let server = begun.passed();
    let (client, image) = (cluster.client()?, cluster.image("demo/shop:2.1.0", &Behaviour::default())?);
    let deployments = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &deployments);
    shop::create(&client, "default", shop::deployment("shop", &image, NonZeroU16::MIN)).await?;
    let is_ready = |found: &serde_json::Value| found["status"]["readyReplicas"] == 1;
    Seen::follow(api, "shop").until("a pod is ready", is_ready).await?;
    Ok((server, begun.passed()))
}
