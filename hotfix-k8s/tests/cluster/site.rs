//! A shop in a namespace of its own: a Deployment whose pods are real processes, and a Service.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use hotfix_core::model::{
    Artifact, IdempotencyKey, ImageReference, Release, SlotName, Stamp, TagName, Target, Timestamp, Version,
};
use hotfix_core::port::{Call, Clock, Deployer};
use hotfix_k8s::rights::{self, Feature};
use hotfix_k8s::{
    Fingerprints, KubernetesConfig, KubernetesDeployer, KubernetesError, TargetConfig, Traffic,
};
use hotfix_testkit::cluster::{AuditEvent, Behaviour, TestCluster, TestNamespace};
use hotfix_testkit::http::Recorded;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ResourceQuota, Secret, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, TypeMeta};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::pods;

/// How long a test waits for something to come true. Nothing takes that long but what controllers do behind the ends of a
/// hundred other tests.
const LIMIT: Duration = Duration::from_secs(60);

/// Who the deployer is to the server.
const USER: &str = "hotfix";

/// How long a test rests before it looks again whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// The kinds that a shop is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Autoscaler,
    ConfigMap,
    Deployment,
    Quota,
    Secret,
    Service,
}

pub(crate) struct Shop {
    pub(crate) test_cluster: &'static TestCluster,
    pub(crate) namespace: TestNamespace,
    pub(crate) client: Client,
    /// What leads the user with the least rights to the cluster.
    pub(crate) user: kube::Config,
    pub(crate) target: Target,
    pub(crate) deployer: KubernetesDeployer,
}

impl Shop {
    /// Makes a shop whose first release is ready, and adopts it.
    pub(crate) async fn open(cluster: &'static TestCluster) -> Self {
        Self::open_with(cluster, Traffic::Service, &[]).await
    }

    /// The same with traffic that is split by one of the objects.
    pub(crate) async fn open_with(cluster: &'static TestCluster, traffic: Traffic, routes: &[Value]) -> Self {
        let shop = Self::closed(cluster, traffic, &deployment(cluster, 1), routes).await;
        shop.adopt().await.expect("adopted");
        shop
    }

    pub(crate) async fn unadopted(cluster: &'static TestCluster, deployment: &Value) -> Self {
        Self::closed(cluster, Traffic::Service, deployment, &[]).await
    }

    pub(crate) async fn closed(
        cluster: &'static TestCluster,
        traffic: Traffic,
        deployment: &Value,
        routes: &[Value],
    ) -> Self {
        Self::configured(cluster, |config| TargetConfig { traffic, ..config }, deployment, routes).await
    }

    /// The same with a configuration of one's own.
    pub(crate) async fn configured(
        cluster: &'static TestCluster,
        change: impl FnOnce(TargetConfig) -> TargetConfig,
        deployment: &Value,
        routes: &[Value],
    ) -> Self {
        let test_cluster = cluster;
        let namespace = cluster.namespace("shop").await.expect("a namespace");
        let client = cluster.client().expect("a client");
        let target: Target = "production/shop".parse().expect("a target");
        let config = change(config(&namespace));
        let user = cluster.user(&namespace, USER, &rules(&config.features())).await.expect("a user");
        let deployer = deployer_with(config, &target, user.clone());
        let shop = Self { test_cluster, namespace, client, user, target, deployer };
        shop.create(Kind::Deployment, deployment).await;
        shop.create(Kind::Service, &service("shop")).await;
        for route in routes {
            shop.create_any(route).await;
        }
        let slices: Api<EndpointSlice> = Api::namespaced(shop.client.clone(), &shop.namespace);
        until("the first release is ready, and its Service has heard of it", || async {
            let found = shop.read(Kind::Deployment, "shop").await;
            let (ready, wanted) = (&found["status"]["readyReplicas"], &found["spec"]["replicas"]);
            ready == wanted && ready_endpoints(&slices).await.ok().map(Value::from) == Some(wanted.clone())
        })
        .await;
        shop
    }

    /// Adopts the target as its user. The right to make a copy cannot be narrowed to a name: the user has it meanwhile, and
    /// not before or after.
    pub(crate) async fn adopt(&self) -> Result<(), KubernetesError> {
        let more = rules(&[Feature::Adoption].into());
        let grant = self.test_cluster.grant(&self.namespace, USER, "adoption", &more).await.expect("granted");
        let adopted = self.deployer.adopt(&self.target).await;
        grant.revoke().await.expect("revoked");
        adopted
    }

    pub(crate) fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let resource = match kind {
            Kind::Autoscaler => ApiResource::erase::<HorizontalPodAutoscaler>(&()),
            Kind::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Kind::Deployment => ApiResource::erase::<Deployment>(&()),
            Kind::Quota => ApiResource::erase::<ResourceQuota>(&()),
            Kind::Secret => ApiResource::erase::<Secret>(&()),
            Kind::Service => ApiResource::erase::<Service>(&()),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    pub(crate) async fn create(&self, kind: Kind, object: &Value) {
        let object = serde_json::from_value(object.clone()).expect("an object");
        self.api(kind).create(&PostParams::default(), &object).await.expect("created");
    }

    /// Creates an object of the kind that it says, in the namespace that it says.
    pub(crate) async fn create_any(&self, object: &Value) {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or(&self.namespace);
        let object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        let api = self.api_in(namespace, object.types.as_ref().expect("a kind"));
        api.create(&PostParams::default(), &object).await.expect("created");
    }

    /// The same as [`api`](Self::api) for a kind that is named.
    pub(crate) fn api_of(&self, types: &TypeMeta) -> Api<DynamicObject> {
        self.api_in(&self.namespace, types)
    }

    fn api_in(&self, namespace: &str, types: &TypeMeta) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types).expect("a kind"));
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }

    /// Reads an object as the server has it.
    pub(crate) async fn read(&self, kind: Kind, name: &str) -> Value {
        let object = self.api(kind).get(name).await.expect("it exists");
        serde_json::to_value(object).expect("JSON")
    }

    /// Changes an object as somebody else would.
    pub(crate) async fn edit(&self, kind: Kind, name: &str, merge: &Value) {
        let patch = Patch::Merge(merge);
        self.api(kind).patch(name, &PatchParams::default(), &patch).await.expect("edited");
    }

    pub(crate) async fn delete(&self, kind: Kind, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.expect("deleted");
        until("it is gone", || async { self.api(kind).get_opt(name).await.expect("read").is_none() }).await;
    }

    pub(crate) fn pod_api(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Returns the pods of the Deployment of that name.
    pub(crate) async fn pods(&self, app: &str) -> Vec<Pod> {
        let params = ListParams::default().labels(members(app));
        self.pod_api().list(&params).await.expect("a list").items
    }

    /// Has the readiness probes of all pods fail that a slot has now.
    pub(crate) async fn fail(&self, slot: &SlotName) {
        pods::fail(|| self.pods(app(slot))).await;
    }

    /// Returns every accepted patch of the deployer, in the order of the server's log.
    pub(crate) fn patches(&self) -> Vec<String> {
        self.accepted(|_| true).iter().map(Value::to_string).collect()
    }

    /// Returns those of one kind of objects, such as `deployments`.
    pub(crate) fn patches_of(&self, resource: &str) -> Vec<Value> {
        self.accepted(|event| event.resource.as_deref() == Some(resource))
    }

    /// Returns those of one object of that kind.
    pub(crate) fn patches_at(&self, resource: &str, name: &str) -> Vec<Value> {
        let is_it = |event: &AuditEvent| {
            event.resource.as_deref() == Some(resource) && event.name.as_deref() == Some(name)
        };
        self.accepted(is_it)
    }

    fn accepted(&self, is_meant: impl Fn(&AuditEvent) -> bool) -> Vec<Value> {
        let user = format!("system:serviceaccount:{}:hotfix", self.namespace);
        let log = self.test_cluster.audit_log_of(&self.namespace).expect("a log");
        let own = log.into_iter().filter(|event| {
            event.user == user && event.verb == "patch" && event.status == 200 && is_meant(event)
        });
        own.filter_map(|event| event.request).collect()
    }

    pub(crate) async fn until_ready(&self, slot: &str) {
        let slot = self::slot(slot);
        until("the slot is ready", || async {
            let workload = self.deployer.observe(&self.target).await.expect("a workload");
            workload.slot(&slot).is_some_and(|held| held.ready == held.replicas.get())
        })
        .await;
    }
}

/// Returns how many endpoints of the shop's Service are ready.
async fn ready_endpoints(slices: &Api<EndpointSlice>) -> kube::Result<usize> {
    let of_shop = ListParams::default().labels("kubernetes.io/service-name=shop");
    let slices = slices.list(&of_shop).await?.items;
    let endpoints = slices.iter().flat_map(|slice| &slice.endpoints).flatten();
    let is_ready = |endpoint: &&Endpoint| {
        endpoint.conditions.as_ref().is_some_and(|conditions| conditions.ready == Some(true))
    };
    Ok(endpoints.filter(is_ready).count())
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// What selects the pods of the Deployment of that name, whichever way the traffic is split.
pub(crate) fn members(app: &str) -> &'static str {
    if app == "shop" { "app=shop,hotfix.dev/slot!=hotfix" } else { "hotfix.dev/slot=hotfix" }
}

/// The Deployment of a slot.
pub(crate) fn app(slot: &SlotName) -> &'static str {
    if slot.as_str() == "main" { "shop" } else { "shop-hotfix" }
}

/// What a JSON Patch writes at a path.
pub(crate) fn written(patch: &Value, path: &str) -> Option<Value> {
    let operations = patch.as_array().into_iter().flatten();
    let mut written = operations.filter(|operation| operation["op"] != "test" && operation["path"] == path);
    Some(written.next()?["value"].clone())
}

/// Whether a request changes an object at a path that ends so.
pub(crate) fn is_patch(request: &Recorded, path: &str) -> bool {
    request.method == "PATCH" && request.path.ends_with(path)
}

/// A deployer as another process would have it.
pub(crate) fn deployer(namespace: &str, target: &Target, cluster: kube::Config) -> KubernetesDeployer {
    deployer_with(config(namespace), target, cluster)
}

/// The same with a configuration of one's own.
pub(crate) fn deployer_with(
    config: TargetConfig,
    target: &Target,
    cluster: kube::Config,
) -> KubernetesDeployer {
    let config =
        KubernetesConfig { targets: [(target.clone(), config)].into(), ..KubernetesConfig::default() };
    KubernetesDeployer::connect(config, cluster, Arc::new(WallClock)).expect("a sound configuration")
}

pub(crate) fn config(namespace: &str) -> TargetConfig {
    TargetConfig {
        namespace: namespace.to_owned(),
        deployment: "shop".to_owned(),
        fingerprints: Fingerprints::ConfigMapsAndSecrets,
        ..TargetConfig::default()
    }
}

/// The least rights for some features.
fn rules(features: &BTreeSet<Feature>) -> Vec<PolicyRule> {
    let rules = serde_json::to_value(rights::rules(features)).expect("JSON");
    serde_json::from_value(rules).expect("rules")
}

/// A call of the first epoch with time enough.
pub(crate) fn call(key: &str, seq: u32) -> Call {
    Call {
        key: IdempotencyKey::new(key).expect("a key"),
        stamp: Stamp::new(1, seq),
        deadline: WallClock.now() + TimeDelta::seconds(20),
    }
}

pub(crate) fn slot(name: &str) -> SlotName {
    SlotName::new(name).expect("a slot")
}

/// A healthy release by the patch number of its version.
pub(crate) fn release(cluster: &TestCluster, patch: u8) -> Release {
    pushed(cluster, patch, &Behaviour::default())
}

/// Pushes an image that behaves like that, and returns it as a release.
pub(crate) fn pushed(cluster: &TestCluster, patch: u8, behaviour: &Behaviour) -> Release {
    let tagged = format!("shop/web:1.0.{patch}");
    let image = cluster.image(&tagged, behaviour).expect("an image");
    let reference = format!("{tagged}@{}", image.digest());
    Release {
        version: Version::new(1, 0, patch.into()),
        tag: TagName::new(format!("v1.0.{patch}")).expect("a tag"),
        artifact: Artifact::Image(ImageReference::new(&reference).expect("a reference")),
    }
}

/// The Deployment as its owner wrote it, with release 1.0.1.
pub(crate) fn deployment(cluster: &TestCluster, replicas: u16) -> Value {
    let Artifact::Image(image) = release(cluster, 1).artifact else { unreachable!("it was pushed") };
    json!({
        "metadata": {"name": "shop", "labels": {"app": "shop"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop", "team": "checkout"}},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [{
                    "name": "web",
                    "image": image.as_str(),
                    "env": [{"name": "MODE", "value": "calm"}],
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {
                        "httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1,
                    },
                }]},
            },
        },
    })
}

/// An autoscaler of the Deployment, between one pod and five.
pub(crate) fn autoscaler(name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "minReplicas": 1, "maxReplicas": 5,
        },
    })
}

/// A Service of that name, whose pods have the name as their label `app`.
pub(crate) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
}

#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "deadlines of calls are wall time")]
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_timestamp_millis(since.as_millis().try_into().unwrap_or(i64::MAX)).unwrap_or_default()
    }
}
