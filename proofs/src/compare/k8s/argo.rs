//! The peer: a Rollout of Argo Rollouts behind a VirtualService, with a canary at 25 %, looked at by an analysis or not.

use std::time::Duration;

use futures_util::future::{Either, select};
use hotfix_benches::Failure;
use hotfix_testkit::cluster::{Behaviour, DemoPod, Readiness, TestCluster, TestNamespace};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::ended::end_one;
use super::seen::Seen;
use super::site::{Kind, image, release, second_weight, service, split, template};
use crate::compare::clock::Stopwatch;
use crate::shop;

/// How long the peer is watched that may do nothing at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

const NAME: &str = "shop";
const CANARY: &str = "shop-canary";

/// The share of the canary, in percent.
pub(super) const SHARE: u64 = 25;

/// How big a rollout is and what it does.
pub(super) struct Shape {
    pub(super) replicas: u16,
    /// How many pods the canary has.
    pub(super) canaries: u16,
    pub(super) behaviour: Behaviour,
    /// An AnalysisTemplate with the arguments `hash`, that of the canary's pods, and `namespace`.
    pub(super) analysis: Option<Value>,
}

pub(super) struct Argo {
    pub(super) namespace: TestNamespace,
    client: Client,
    rollout: Seen,
    split: Seen,
    old: Value,
    new: Value,
}

impl Argo {
    /// A rollout of four pods that is healthy, whose canary will have so many pods.
    pub(super) async fn open(cluster: &TestCluster, canaries: u16) -> Result<Self, Failure> {
        let shape = Shape { replicas: 4, canaries, behaviour: Behaviour::default(), analysis: None };
        Self::shaped(cluster, shape).await
    }

    /// A rollout that is healthy.
    pub(super) async fn shaped(cluster: &TestCluster, shape: Shape) -> Result<Self, Failure> {
        let Shape { replicas, canaries, behaviour, analysis } = shape;
        let (namespace, client) = (cluster.namespace("argo").await?, cluster.client()?);
        let [old, new] = [0, 1].map(|patch| release(cluster, patch, &behaviour));
        let (old, new) = (template(NAME, image(&old?)?), template(NAME, image(&new?)?));
        for name in [NAME, CANARY] {
            let mut service = service(NAME);
            service["metadata"]["name"] = name.into();
            shop::create(&client, &namespace, service).await?;
        }
        shop::create(&client, &namespace, split(NAME, [NAME, CANARY])).await?;
        let mut rollout = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {"name": NAME},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": NAME}},
                "template": old,
                "strategy": {"canary": {
                    "stableService": NAME,
                    "canaryService": CANARY,
                    "trafficRouting": {"istio": {"virtualService": {"name": NAME, "routes": ["all"]}}},
                    "steps": [
                        {"setCanaryScale": {"replicas": canaries}}, {"setWeight": SHARE}, {"pause": {}},
                    ],
                }},
            },
        });
        if let Some(template) = analysis {
            // It goes on for as long as the step does that waits.
            rollout["spec"]["strategy"]["canary"]["analysis"] = json!({
                "startingStep": 2,
                "templates": [{"templateName": template["metadata"]["name"]}],
                "args": [
                    {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
                    {"name": "namespace", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                ],
            });
            shop::create(&client, &namespace, template).await?;
        }
        shop::create(&client, &namespace, rollout).await?;
        let mut rollout = Seen::follow(Kind::Rollout.api(&client, &namespace), NAME);
        rollout.until("the rollout is healthy", |rollout| is_in(rollout, "Healthy")).await?;
        let split = Seen::follow(Kind::VirtualService.api(&client, &namespace), NAME);
        Ok(Self { namespace, client, rollout, split, old, new })
    }

    /// Makes another release the next one, with pods of its own.
    pub(super) fn renew(&mut self, number: usize) {
        self.new["metadata"]["annotations"] = json!({"number": number.to_string()});
        // A merge leaves alone what it does not name.
        self.old["metadata"]["annotations"] = Value::Null;
    }

    /// Returns whether the canary has its share.
    pub(super) async fn is_shifted(&self) -> Result<bool, Failure> {
        let split = Kind::VirtualService.api(&self.client, &self.namespace).get(NAME).await?;
        Ok(second_weight(&split.data) == Some(SHARE))
    }

    /// Brings the next release to its share of the traffic.
    pub(super) async fn shift(&mut self) -> Result<(), Failure> {
        self.change(&json!({"spec": {"template": self.new}}), None).await?;
        self.split.until("the canary has its share", |split| second_weight(split) == Some(SHARE)).await?;
        self.rollout.until("the rollout pauses", |rollout| is_in(rollout, "Paused")).await
    }

    /// Aborts, and returns how long it took until the canary had no traffic; `None` when it still has some after
    /// [`PATIENCE`].
    pub(super) async fn abort(&mut self) -> Result<Option<Duration>, Failure> {
        let watch = Stopwatch::start();
        self.change(&json!({"status": {"abort": true}}), Some("status")).await?;
        self.left(watch, PATIENCE).await
    }

    /// Ends the process of one pod of the canary, and returns how long it took from the status that says so until the
    /// canary had no traffic; `None` as for [`abort`](Self::abort).
    pub(super) async fn crash(&mut self) -> Result<Option<Duration>, Failure> {
        let pods = self.pods(&self.canary().await?).await?;
        let watch = end_one(&pods, Kind::Pod.api(&self.client, &self.namespace)).await?;
        self.left(watch, PATIENCE).await
    }

    /// Makes one stable pod unready, or all ready again, and waits until the rollout knows.
    pub(super) async fn stable(&mut self, unready: usize) -> Result<(), Failure> {
        let hash = self.hash("stableRS").await?;
        for (number, pod) in self.pods(&hash).await?.iter().filter_map(DemoPod::of).enumerate() {
            let readiness = if number < unready { Readiness::Never } else { Behaviour::default().readiness };
            pod.behave(&Behaviour { readiness, ..Behaviour::default() }).await?;
        }
        let all = self.pods(&hash).await?.len() - unready;
        let ready = |pod: &Pod| {
            let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
            conditions.into_iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True")
        };
        for _ in 0..600 {
            if self.pods(&hash).await?.iter().filter(|pod| ready(pod)).count() == all {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Failure::new("the stable pods do not become as they should be"))
    }

    /// Goes back to the old release, until everything is healthy.
    pub(super) async fn back(&mut self) -> Result<(), Failure> {
        self.change(&json!({"spec": {"template": self.old}}), None).await?;
        self.rollout.until("the rollout is healthy again", |rollout| is_in(rollout, "Healthy")).await
    }

    /// Makes the pods of the canary behave like this.
    pub(super) async fn behave(&self, behaviour: &Behaviour) -> Result<(), Failure> {
        for pod in self.pods(&self.canary().await?).await?.iter().filter_map(DemoPod::of) {
            pod.behave(behaviour).await?;
        }
        Ok(())
    }

    /// Returns the hash of the canary's pods.
    pub(super) async fn canary(&self) -> Result<String, Failure> {
        self.hash("currentPodHash").await
    }

    /// Returns how long it took until the canary had no traffic; `None` when it still has some after `patience`.
    pub(super) async fn left(
        &mut self,
        watch: Stopwatch,
        patience: Duration,
    ) -> Result<Option<Duration>, Failure> {
        let left = self.split.until("the canary has no traffic", |split| second_weight(split) == Some(0));
        let patience = tokio::time::sleep(patience);
        match select(std::pin::pin!(left), std::pin::pin!(patience)).await {
            Either::Left((left, _)) => left.map(|()| Some(watch.passed())),
            Either::Right(_) => Ok(None),
        }
    }

    async fn change(&self, change: &Value, part: Option<&str>) -> Result<(), Failure> {
        let (api, params) = (Kind::Rollout.api(&self.client, &self.namespace), PatchParams::default());
        match part {
            Some(_) => api.patch_status(NAME, &params, &Patch::Merge(change)).await?,
            None => api.patch(NAME, &params, &Patch::Merge(change)).await?,
        };
        Ok(())
    }

    /// Which pods are those of the revision that the status names so.
    async fn hash(&self, field: &str) -> Result<String, Failure> {
        let rollout = Kind::Rollout.api(&self.client, &self.namespace).get(NAME).await?;
        let hash = rollout.data["status"][field].as_str();
        Ok(hash.ok_or_else(|| Failure::new(format!("the rollout has no {field}")))?.to_owned())
    }

    async fn pods(&self, hash: &str) -> Result<Vec<Pod>, Failure> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let labels = format!("rollouts-pod-template-hash={hash}");
        Ok(api.list(&ListParams::default().labels(&labels)).await?.items)
    }
}

fn is_in(rollout: &Value, phase: &str) -> bool {
    let (generation, observed) =
        (&rollout["metadata"]["generation"], &rollout["status"]["observedGeneration"]);
    rollout["status"]["phase"] == phase && observed.as_str() == Some(generation.to_string().as_str())
}
