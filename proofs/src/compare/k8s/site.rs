//! A shop in a namespace of its own: a Deployment with real pods, a Service, and a deployer with the least rights.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_core::model::{IdempotencyKey, Precondition, Release, SlotName, Stamp, Target, Verb, Workload};
use hotfix_core::port::{Call, Clock as _, Deployer as _, Reply};
use hotfix_engine::SystemClock;
use hotfix_k8s::{KubernetesConfig, KubernetesDeployer, TargetConfig, Traffic, VirtualServiceTraffic};
use hotfix_testkit::cluster::{AuditEvent, Behaviour, TestCluster, TestNamespace};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::seen::LONG;
use crate::shop;
pub(super) use crate::shop::{image, release, service, template};

/// How many pods a Deployment has.
pub(super) const REPLICAS: NonZeroU16 = NonZeroU16::new(2).unwrap();

/// The service account of the deployer.
const USER: &str = "hotfix";

/// A shop whose release 2.1.0 is ready and adopted.
pub(super) struct Site {
    pub(super) namespace: TestNamespace,
    pub(super) target: Target,
    pub(super) deployer: KubernetesDeployer,
    /// What leads the deployer's user to the cluster.
    pub(super) user: kube::Config,
    client: Client,
}

/// What an object is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Deployment,
    Pod,
    Rollout,
    Service,
    VirtualService,
}

impl Kind {
    /// What an administrator does with objects of the kind.
    pub(super) fn api(self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        let foreign =
            |group, version, kind| ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let resource = match self {
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::Pod => ApiResource::erase::<Pod>(&()),
            Self::Rollout => foreign("argoproj.io", "v1alpha1", "Rollout"),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::VirtualService => foreign("networking.istio.io", "v1", "VirtualService"),
        };
        Api::namespaced_with(client.clone(), namespace, &resource)
    }
}

impl Site {
    /// The shop with traffic by the selector of its Service.
    pub(super) async fn open(cluster: &TestCluster) -> Result<Self, Failure> {
        Self::open_by(cluster, Traffic::Service, REPLICAS, &Behaviour::default()).await
    }

    /// The shop behind a VirtualService.
    pub(super) async fn meshed(cluster: &TestCluster) -> Result<Self, Failure> {
        Self::meshed_of(cluster, REPLICAS, &Behaviour::default()).await
    }

    /// The same with so many pods that behave like this.
    pub(super) async fn meshed_of(
        cluster: &TestCluster,
        replicas: NonZeroU16,
        behaviour: &Behaviour,
    ) -> Result<Self, Failure> {
        let traffic = Traffic::VirtualService(VirtualServiceTraffic::default());
        Self::open_by(cluster, traffic, replicas, behaviour).await
    }

    async fn open_by(
        cluster: &TestCluster,
        traffic: Traffic,
        replicas: NonZeroU16,
        behaviour: &Behaviour,
    ) -> Result<Self, Failure> {
        let (namespace, client) = (cluster.namespace("compare").await?, cluster.client()?);
        let target: Target = "production/shop".parse()?;
        let config = target_config(&namespace, traffic.clone());
        let user = cluster.user(&namespace, USER, &shop::rules(std::slice::from_ref(&config))?).await?;
        let deployer = deployer(&namespace, &target, user.clone(), traffic.clone())?;
        let site = Self { namespace, target, deployer, user, client };
        site.create_of("shop", &release(cluster, 0, behaviour)?, replicas).await?;
        if traffic != Traffic::Service {
            shop::create(&site.client, &site.namespace, service("shop-hotfix")).await?;
            let split = split("shop", ["shop", "shop-hotfix"]);
            shop::create(&site.client, &site.namespace, split).await?;
        }
        site.until(Workload::is_healthy).await?;
        let grant = shop::may_adopt(cluster, &site.namespace, USER).await?;
        site.deployer.adopt(&site.target).await?;
        grant.revoke().await?;
        Ok(site)
    }

    /// Creates a Deployment and a Service in front of it.
    pub(super) async fn create(&self, name: &str, release: &Release) -> Result<(), Failure> {
        self.create_of(name, release, REPLICAS).await
    }

    async fn create_of(&self, name: &str, release: &Release, replicas: NonZeroU16) -> Result<(), Failure> {
        let deployment = shop::deployment(name, image(release)?, replicas);
        shop::create(&self.client, &self.namespace, deployment).await?;
        shop::create(&self.client, &self.namespace, service(name)).await
    }

    /// What an administrator does with objects of the kind here.
    pub(super) fn api(&self, kind: Kind) -> Api<DynamicObject> {
        kind.api(&self.client, &self.namespace)
    }

    /// The pods with a label.
    pub(super) async fn pods(&self, label: &str) -> Result<Vec<Pod>, Failure> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        Ok(api.list(&ListParams::default().labels(label)).await?.items)
    }

    /// Applies a verb with a stamp of that number.
    pub(super) async fn apply(&self, number: u32, verb: &Verb) -> Result<(), Failure> {
        let call = Call {
            key: IdempotencyKey::new(format!("compare-{number}"))?,
            stamp: Stamp::new(1, number),
            deadline: SystemClock.now() + chrono::TimeDelta::seconds(30),
        };
        match self.deployer.apply(&call, &self.target, verb, &Precondition::default()).await {
            Reply::Applied(_) => Ok(()),
            other => Err(Failure::new(format!("{verb} came to {other:?}"))),
        }
    }

    /// Observes until something is so.
    pub(super) async fn until(&self, is_so: impl Fn(&Workload) -> bool) -> Result<(), Failure> {
        let waiting = async {
            while !self.deployer.observe(&self.target).await.is_ok_and(|workload| is_so(&workload)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LONG, waiting).await.map_err(|_| Failure::new("the shop does not become as it should be"))
    }

    /// Returns what the deployer's user did here, by the server's own log.
    pub(super) fn log(&self, cluster: &TestCluster) -> Result<Vec<AuditEvent>, Failure> {
        Ok(cluster.audit_log_of(&self.namespace)?)
    }

    /// The deployer's user, as the server calls it.
    pub(super) fn user_name(&self) -> String {
        format!("system:serviceaccount:{}:{USER}", self.namespace.name())
    }
}

/// A deployer as another process would have it.
pub(super) fn deployer(
    namespace: &str,
    target: &Target,
    user: kube::Config,
    traffic: Traffic,
) -> Result<KubernetesDeployer, Failure> {
    let config = KubernetesConfig {
        targets: [(target.clone(), target_config(namespace, traffic))].into(),
        ..KubernetesConfig::default()
    };
    Ok(KubernetesDeployer::connect(config, user, Arc::new(SystemClock))?)
}

fn target_config(namespace: &str, traffic: Traffic) -> TargetConfig {
    let deployment = "shop".to_owned();
    TargetConfig { namespace: namespace.to_owned(), deployment, traffic, ..TargetConfig::default() }
}

pub(super) fn slot(name: &str) -> Result<SlotName, Failure> {
    Ok(SlotName::new(name)?)
}

/// A VirtualService of that name that sends everything to the first of two Services.
pub(super) fn split(name: &str, services: [&str; 2]) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name},
        "spec": {"hosts": [name], "http": [{"name": "all", "route": [
            {"destination": {"host": services[0]}, "weight": 100},
            {"destination": {"host": services[1]}, "weight": 0},
        ]}]},
    })
}

/// Which percentage a VirtualService sends to the second of its Services.
pub(super) fn second_weight(split: &Value) -> Option<u64> {
    split["spec"]["http"][0]["route"][1]["weight"].as_u64()
}
