//! The shop that the tests deploy, and waiting for what becomes of it.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::TryStreamExt;
use hotfix_testkit::cluster::{Behaviour, TestCluster, TestNamespace};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{ListParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// A namespace of the shared cluster.
pub(super) struct Shop {
    pub(super) cluster: &'static TestCluster,
    pub(super) namespace: TestNamespace,
    pub(super) client: Client,
}

impl Shop {
    pub(super) async fn open() -> Self {
        let cluster = TestCluster::shared().await.unwrap();
        let namespace = cluster.namespace("shop").await.unwrap();
        Self { cluster, namespace, client: cluster.client().unwrap() }
    }

    pub(super) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Deploys one pod with an image that behaves like that.
    pub(super) async fn deploy(&self, behaviour: &Behaviour) {
        let image = self.cluster.image("demo/shop:1.4.2", behaviour).unwrap();
        self.create(deployment("shop", 1, image.as_str())).await;
    }

    pub(super) async fn create(&self, deployment: Deployment) {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        deployments.create(&PostParams::default(), &deployment).await.unwrap();
    }

    /// Waits until something is found in one of the pods.
    pub(super) async fn pod<T>(&self, what: &str, find: impl Fn(&Pod) -> Option<T>) -> T {
        seen(self.pods(), what, find).await
    }

    /// Waits until something is found in the status of a container.
    pub(super) async fn container<T>(&self, what: &str, find: impl Fn(&ContainerStatus) -> Option<T>) -> T {
        self.pod(what, |pod| find(pod.status.as_ref()?.container_statuses.as_ref()?.first()?)).await
    }
}

/// Waits until something is found in one of the objects.
pub(super) async fn seen<K, T>(objects: Api<K>, what: &str, find: impl Fn(&K) -> Option<T>) -> T
where
    K: kube::Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let everything = objects.clone();
    let mut states = std::pin::pin!(watcher(objects, watcher::Config::default()).applied_objects());
    let looking = async {
        loop {
            let object = states.try_next().await.unwrap().unwrap();
            if let Some(found) = find(&object) {
                return found;
            }
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(found) => found,
        Err(_) => {
            let left = everything.list(&ListParams::default()).await.unwrap();
            panic!("not within {PATIENCE:?}: {what}; there is {:#?}", left.items)
        }
    }
}

/// A Deployment whose pods are asked at `/healthz` whether they are ready.
pub(super) fn deployment(name: &str, replicas: i32, image: &str) -> Deployment {
    with(name, replicas, image, &json!({}))
}

/// The same with more in the specification of the pods.
pub(super) fn with(name: &str, replicas: i32, image: &str, more: &Value) -> Deployment {
    let mut spec = json!({
        "terminationGracePeriodSeconds": 10,
        "containers": [{
            "name": "shop",
            "image": image,
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        }],
    });
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let labels = json!({"app": name});
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }))
    .unwrap()
}

/// Returns the status of a condition with its reason.
pub(super) fn condition(pod: &Pod, kind: &str) -> Option<(String, Option<String>)> {
    let mut conditions = pod.status.as_ref()?.conditions.as_ref()?.iter();
    let condition = conditions.find(|condition| condition.type_ == kind)?;
    Some((condition.status.clone(), condition.reason.clone()))
}
