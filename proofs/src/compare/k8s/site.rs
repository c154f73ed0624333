//! A shop in a namespace of its own: a Deployment with real pods, a Service, and a deployer with the least rights.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_core::model::{IdempotencyKey, Precondition, Release, SlotName, Stamp, Target, Verb, Workload};
use hotfix_core::port::{Call, Clock as _, Deployer as _, Reply};
use hotfix_engine::SystemClock;
use hotfix_k8s::{KubernetesConfig, KubernetesDeployer, TargetConfig};
use hotfix_testkit::cluster::{AuditEvent, Behaviour, TestCluster, TestNamespace};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use tokio::time::timeout;

use super::seen::LONG;
use crate::shop;
pub(super) use crate::shop::{image, release};

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
    Service,
}

impl Site {
    pub(super) async fn open(cluster: &TestCluster) -> Result<Self, Failure> {
        let (namespace, client) = (cluster.namespace("compare").await?, cluster.client()?);
        let target: Target = "production/shop".parse()?;
        let config = target_config(&namespace);
        let user = cluster.user(&namespace, USER, &shop::rules(&config)?).await?;
        let deployer = deployer(&namespace, &target, user.clone())?;
        let site = Self { namespace, target, deployer, user, client };
        site.create("shop", &release(cluster, 0, &Behaviour::default())?).await?;
        site.until(Workload::is_healthy).await?;
        site.deployer.adopt(&site.target).await?;
        Ok(site)
    }

    /// Creates a Deployment and a Service in front of it.
    pub(super) async fn create(&self, name: &str, release: &Release) -> Result<(), Failure> {
        shop::create(&self.client, &self.namespace, shop::deployment(name, image(release)?, REPLICAS))
            .await?;
        shop::create(&self.client, &self.namespace, shop::service(name)).await
    }

    /// What an administrator does with objects of the kind.
    pub(super) fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let resource = match kind {
            Kind::Deployment => ApiResource::erase::<Deployment>(&()),
            Kind::Service => ApiResource::erase::<Service>(&()),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
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
) -> Result<KubernetesDeployer, Failure> {
    let config = KubernetesConfig { targets: [(target.clone(), target_config(namespace))].into() };
    Ok(KubernetesDeployer::connect(config, user, Arc::new(SystemClock))?)
}

fn target_config(namespace: &str) -> TargetConfig {
    TargetConfig { namespace: namespace.to_owned(), deployment: "shop".to_owned(), ..TargetConfig::default() }
}

pub(super) fn slot(name: &str) -> Result<SlotName, Failure> {
    Ok(SlotName::new(name)?)
}
