//! Many small shops in a few namespaces: a Deployment of one pod with a Service each.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hotfix_benches::Failure;
use hotfix_core::model::{ImageReference, Target, Workload};
use hotfix_core::port::Deployer as _;
use hotfix_engine::SystemClock;
use hotfix_k8s::{KubernetesConfig, KubernetesDeployer, TargetConfig};
use kube::Client;

use super::kubelet::NOBODY;
use crate::shop;

/// How many shops are worked on at a time.
pub(super) const AT_A_TIME: usize = 16;

/// A shop.
#[derive(Debug, Clone)]
pub(super) struct Small {
    pub(super) target: Target,
    pub(super) namespace: String,
    /// The name of its Deployment and of its Service.
    name: String,
}

impl Small {
    /// So many shops in each of the namespaces.
    pub(super) fn all(namespaces: &[&str], each: usize) -> Result<Vec<Self>, Failure> {
        let places = namespaces.iter().flat_map(|namespace| (0..each).map(move |_| *namespace));
        let shop = |(number, namespace): (usize, &str)| {
            let name = name(number);
            let target = format!("production/{name}").parse()?;
            Ok(Self { target, namespace: namespace.to_owned(), name })
        };
        places.enumerate().map(shop).collect()
    }

    pub(super) fn config(&self) -> TargetConfig {
        let (namespace, deployment) = (self.namespace.clone(), self.name.clone());
        TargetConfig { namespace, deployment, ..TargetConfig::default() }
    }

    /// Creates what the shop consists of.
    async fn create(&self, client: &Client, image: &ImageReference) -> Result<(), Failure> {
        let mut deployment = shop::deployment(&self.name, image, std::num::NonZeroU16::MIN);
        deployment["spec"]["template"]["spec"]["schedulerName"] = NOBODY.into();
        let mut service = shop::service(&self.name);
        // There are more shops than addresses for Services.
        service["spec"]["clusterIP"] = "None".into();
        shop::create(client, &self.namespace, deployment).await?;
        shop::create(client, &self.namespace, service).await
    }
}

/// The deployer of all shops.
pub(super) fn deployer(shops: &[Small], user: kube::Config) -> Result<KubernetesDeployer, Failure> {
    let targets: BTreeMap<_, _> = shops.iter().map(|shop| (shop.target.clone(), shop.config())).collect();
    Ok(KubernetesDeployer::connect(
        KubernetesConfig { targets, ..KubernetesConfig::default() },
        user,
        Arc::new(SystemClock),
    )?)
}

/// Creates the shops.
pub(super) async fn create(shops: &[Small], client: &Client, image: &ImageReference) -> Result<(), Failure> {
    let created = stream::iter(shops).map(|shop| shop.create(client, image));
    created.buffer_unordered(AT_A_TIME).try_collect().await
}

/// Adopts the shops, each as soon as it is healthy.
pub(super) async fn adopt(shops: &[Small], deployer: &KubernetesDeployer) -> Result<(), Failure> {
    let adopted = stream::iter(shops).map(|shop| async {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(500));
        while !deployer.observe(&shop.target).await.as_ref().is_ok_and(Workload::is_healthy) {
            look.tick().await;
        }
        deployer.adopt(&shop.target).await?;
        Ok(())
    });
    adopted.buffer_unordered(AT_A_TIME).try_collect().await
}

/// A name for each number, in letters: a digit in a tag begins its version.
fn name(number: usize) -> String {
    let letters = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect::<String>();
    format!("shop-{letters}")
}
