//! A shop that is a StatefulSet or a DaemonSet, in a namespace of its own.

use std::sync::Arc;

use hotfix_core::memory::{MemoryStore, MemoryVersionControl};
use hotfix_core::model::{Artifact, Release, SlotName, Target, WorkerName};
use hotfix_core::plan::Planned;
use hotfix_core::policy::{Policy, Settings};
use hotfix_core::request::{Fix, Goal, Revision, Staging, Strategy};
use hotfix_engine::{Engine, RunHandle, SystemClock};
use hotfix_k8s::rights;
use hotfix_k8s::{KubernetesConfig, KubernetesDeployer, OnGitOps, TargetConfig, WorkloadKind};
use hotfix_testkit::cluster::{NodeOptions, TestCluster, TestNamespace};
use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::pods::{self, image, is_ready, runs};
use super::site::{deployment, release, service, until};
use super::stage::{pod_metrics, repository, request};

/// How many pods a shop has: so many replicas, or nodes.
pub(crate) const PODS: u16 = 3;

pub(crate) struct SetShop {
    pub(crate) cluster: &'static TestCluster,
    pub(crate) kind: WorkloadKind,
    pub(crate) namespace: TestNamespace,
    pub(crate) client: Client,
    /// What leads the user with the least rights to the cluster.
    pub(crate) user: kube::Config,
    pub(crate) target: Target,
    pub(crate) deployer: KubernetesDeployer,
}

/// A cluster with a node for each pod of a DaemonSet.
pub(crate) async fn nodes() -> &'static TestCluster {
    static NODES: OnceCell<TestCluster> = OnceCell::const_new();
    let start = || TestCluster::start_with(NodeOptions { count: PODS, ..NodeOptions::default() });
    NODES.get_or_try_init(start).await.expect("a cluster")
}

/// The cluster that a kind is tested on.
pub(crate) async fn cluster_for(kind: WorkloadKind) -> &'static TestCluster {
    match kind {
        WorkloadKind::DaemonSet => nodes().await,
        _ => TestCluster::shared().await.expect("a cluster"),
    }
}

impl SetShop {
    /// Makes a shop whose first release is ready, and adopts it.
    pub(crate) async fn open(kind: WorkloadKind) -> Self {
        let shop = Self::unadopted(kind).await;
        shop.deployer.adopt(&shop.target).await.expect("adopted");
        shop
    }

    pub(crate) async fn unadopted(kind: WorkloadKind) -> Self {
        Self::configured(kind, OnGitOps::Refuse, &json!({})).await
    }

    /// The same with an object that has more labels.
    pub(crate) async fn configured(kind: WorkloadKind, on_gitops: OnGitOps, labels: &Value) -> Self {
        let cluster = cluster_for(kind).await;
        let namespace = cluster.namespace("set").await.expect("a namespace");
        let client = cluster.client().expect("a client");
        let target: Target = "production/shop".parse().expect("a target");
        let config = TargetConfig { on_gitops, ..config(&namespace, kind) };
        let rules = serde_json::to_value(rights::rules(&config.features())).expect("JSON");
        let rules: Vec<_> = serde_json::from_value(rules).expect("rules");
        let user = cluster.user(&namespace, "hotfix", &rules).await.expect("a user");
        let deployer = deployer_with(config, user.clone());
        let shop = Self { cluster, kind, namespace, client, user, target, deployer };
        let mut object = object(cluster, kind);
        for (name, value) in labels.as_object().into_iter().flatten() {
            object["metadata"]["labels"][name] = value.clone();
        }
        let object = serde_json::from_value(object).expect("an object");
        shop.api().create(&PostParams::default(), &object).await.expect("created");
        let services: Api<Service> = Api::namespaced(shop.client.clone(), &shop.namespace);
        let service = serde_json::from_value(service("shop")).expect("a service");
        services.create(&PostParams::default(), &service).await.expect("created");
        shop.until_ready(&release(cluster, 1)).await;
        shop
    }

    fn api(&self) -> Api<DynamicObject> {
        let resource = match self.kind {
            WorkloadKind::DaemonSet => ApiResource::erase::<DaemonSet>(&()),
            _ => ApiResource::erase::<StatefulSet>(&()),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Reads the object as the server has it.
    pub(crate) async fn read(&self) -> Value {
        serde_json::to_value(self.api().get("shop").await.expect("it exists")).expect("JSON")
    }

    /// Changes the object as somebody else would.
    pub(crate) async fn edit(&self, merge: &Value) {
        self.api().patch("shop", &PatchParams::default(), &Patch::Merge(merge)).await.expect("edited");
    }

    pub(crate) async fn pods(&self) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        pods.list(&ListParams::default().labels("app=shop")).await.expect("a list").items
    }

    /// How many pods run a release, and how many of them are ready.
    pub(crate) async fn running(&self, release: &Release) -> (u16, u16) {
        let image = image(release);
        let (mut count, mut ready) = (0, 0);
        for pod in self.pods().await.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
            count += u16::from(runs(pod, image));
            ready += u16::from(runs(pod, image) && is_ready(pod));
        }
        (count, ready)
    }

    /// Waits until all pods run a release and are ready.
    pub(crate) async fn until_ready(&self, release: &Release) {
        until("all pods run it and are ready", || async { self.running(release).await == (PODS, PODS) })
            .await;
    }

    /// Has the readiness probes of all pods fail that a slot has now.
    pub(crate) async fn fail(&self, slot: &SlotName) {
        pods::fail(|| async {
            let all = self.pods().await;
            all.into_iter().filter(|pod| slot_of(pod) == slot.as_str()).collect()
        })
        .await;
    }

    /// An engine with git and journal in memory, and a plan for a release that fixes 1.0.1.
    pub(crate) async fn deploy(&self, fix: &Release, strategy: Strategy, settings: Settings) -> RunHandle {
        let source: MemoryVersionControl = repository();
        let metrics = pod_metrics(self.client.clone(), &self.namespace);
        let engine = Engine::builder()
            .version_control(source.clone())
            .deployer(self.deployer.clone())
            .metrics(metrics)
            .store(MemoryStore::new(Arc::new(SystemClock)))
            .policy(Policy::new(settings).expect("a policy that makes sense"))
            .worker(WorkerName::new("first").expect("a worker"))
            .build()
            .expect("a complete engine");
        let base = source.resolve("v1.0.1").expect("the tag");
        let content = fix.version.to_string();
        let commit = source.commit(&[base], &[("app", Some(&content))], "fix: charge the right card");
        let Artifact::Image(image) = &fix.artifact else { unreachable!("it was pushed") };
        let goal = Goal::Deploy {
            fix: Fix::Commits(vec![Revision::new(commit.as_str()).expect("a revision")]),
            from: None,
            image: Some(image.clone()),
            strategy: Some(strategy),
            staging: Staging::Skip,
        };
        let Planned::Plan(plan) = engine.plan(&request(goal)).await.expect("a plan") else {
            panic!("there is something to do")
        };
        engine.start(*plan).await.expect("a free target")
    }
}

fn slot_of(pod: &Pod) -> &str {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("hotfix.dev/slot")).map_or("main", String::as_str)
}

pub(crate) fn deployer(namespace: &str, kind: WorkloadKind, cluster: kube::Config) -> KubernetesDeployer {
    deployer_with(config(namespace, kind), cluster)
}

fn deployer_with(config: TargetConfig, cluster: kube::Config) -> KubernetesDeployer {
    let target = "production/shop".parse().expect("a target");
    let config = KubernetesConfig { targets: [(target, config)].into(), ..KubernetesConfig::default() };
    KubernetesDeployer::connect(config, cluster, Arc::new(SystemClock)).expect("a sound configuration")
}

fn config(namespace: &str, workload: WorkloadKind) -> TargetConfig {
    TargetConfig {
        namespace: namespace.to_owned(),
        deployment: "shop".to_owned(),
        workload,
        ..TargetConfig::default()
    }
}

/// The object as its owner wrote it, with release 1.0.1.
fn object(cluster: &TestCluster, kind: WorkloadKind) -> Value {
    let mut object = deployment(cluster, PODS);
    let spec = object["spec"].as_object_mut().expect("a spec");
    if kind == WorkloadKind::DaemonSet {
        spec.remove("replicas");
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}});
        spec.insert("updateStrategy".to_owned(), strategy);
    } else {
        spec.insert("serviceName".to_owned(), "shop".into());
    }
    object
}
