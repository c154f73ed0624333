//! Runs that deploy to a namespace of a cluster.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hotfix_core::model::{ImageReference, Period, SlotName};
use hotfix_core::policy::Settings;
use hotfix_core::request::{Staging, Strategy};
use hotfix_engine::{EngineBuilder, SystemClock};
use hotfix_k8s::{KubernetesConfig, KubernetesDeployer, LeaseConfig, Leases};
use hotfix_testkit::cluster::PodMetrics;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::{Deserialize, Serialize};

use super::Route;
use crate::prove::trap::{Trap, Trapped};

/// The file of a world that says where its runs deploy to.
const DESTINATION: &str = "destination.json";
/// The file that leads its drivers to the API server.
pub(in crate::prove) const KUBECONFIG: &str = "kubeconfig";
/// The file of a world whose runs claim Leases as well, each process in a store of its own.
const LEASES: &str = "leases.json";
/// How often pods are asked for their counters.
const LOOK: Period = Period::from_millis(250);

/// Where the runs of a world deploy to, and what.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::prove) struct Destination {
    pub(in crate::prove) targets: KubernetesConfig,
    /// The image of each patch.
    pub(in crate::prove) images: BTreeMap<String, ImageReference>,
    pub(in crate::prove) strategy: Strategy,
}

impl Destination {
    pub(in crate::prove) fn write(&self, folder: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(folder.join(DESTINATION), text).map_err(|error| format!("{DESTINATION}: {error}"))
    }

    fn read(folder: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(folder.join(DESTINATION))
            .map_err(|error| format!("{DESTINATION}: {error}"))?;
        serde_json::from_str(&text).map_err(|error| format!("{DESTINATION}: {error}"))
    }
}

/// Has the runs of a world claim Leases, in the namespace that its kubeconfig leads to.
pub(in crate::prove) fn claim_leases(folder: &Path) -> Result<(), String> {
    let text = serde_json::to_string_pretty(&LeaseConfig::default()).map_err(|error| error.to_string())?;
    std::fs::write(folder.join(LEASES), text).map_err(|error| format!("{LEASES}: {error}"))
}

/// The Leases that the runs of a world claim, if they do.
pub(super) async fn leases(folder: &Path) -> Result<Option<Leases>, String> {
    let file = folder.join(LEASES);
    if !file.exists() {
        return Ok(None);
    }
    let unusable = |error: &dyn std::fmt::Display| format!("{LEASES}: {error}");
    let text = std::fs::read_to_string(file).map_err(|error| unusable(&error))?;
    let config: LeaseConfig = serde_json::from_str(&text).map_err(|error| unusable(&error))?;
    let leases = Leases::connect(config, connection(folder).await?, Arc::new(SystemClock));
    leases.map(Some).map_err(|error| unusable(&error))
}

async fn connection(folder: &Path) -> Result<Config, String> {
    let file = Kubeconfig::read_from(folder.join(KUBECONFIG)).map_err(|error| error.to_string())?;
    let cluster = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    cluster.map_err(|error| error.to_string())
}

pub(super) async fn attach(
    engine: EngineBuilder,
    folder: &Path,
    trap: &Arc<Trap>,
) -> Result<EngineBuilder, String> {
    let destination = Destination::read(folder)?;
    let cluster = connection(folder).await?;
    let slots =
        ["main", "hotfix"].into_iter().zip(["app=shop,hotfix.dev/slot!=hotfix", "hotfix.dev/slot=hotfix"]);
    let slots =
        slots.map(|(slot, labels)| Ok((SlotName::new(slot).map_err(super::text)?, labels.to_owned())));
    let slots: BTreeMap<SlotName, String> = slots.collect::<Result<_, String>>()?;
    let namespace = cluster.default_namespace.clone();
    let client = Client::try_from(cluster.clone()).map_err(|error| error.to_string())?;
    let deployer = KubernetesDeployer::connect(destination.targets, cluster, Arc::new(SystemClock));
    let deployer = deployer.map_err(|error| error.to_string())?;
    Ok(engine
        .deployer(Trapped { inner: deployer, trap: Arc::clone(trap) })
        .metrics(PodMetrics::new(client, &namespace, LOOK, slots)))
}

/// There is one environment, and pods take their time.
pub(super) fn settings(mut settings: Settings) -> Settings {
    settings.environments.staging = None;
    settings.execution.look = LOOK;
    settings.rollout.preview_soak = Period::from_millis(100);
    settings.rollout.rollback_soak = Period::from_millis(100);
    settings
}

/// How a patch gets there.
pub(super) fn route(folder: &Path, revision: &str) -> Result<Route, String> {
    let Destination { mut images, strategy, .. } = Destination::read(folder)?;
    let image = images.remove(revision);
    let image = image.ok_or_else(|| format!("there is no image of {revision}"))?;
    Ok(Route { strategy, staging: Staging::Skip, image: Some(image) })
}
