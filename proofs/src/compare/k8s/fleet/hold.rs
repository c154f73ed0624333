//! The process that is measured: one engine with a run for each shop, all of which wait and observe their pods.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hotfix_benches::Failure;
use hotfix_benches::world::{Shop, policy, request};
use hotfix_core::communicate::ProgressKind;
use hotfix_core::model::{ImageReference, Period, Timestamp};
use hotfix_core::plan::{Action, Gate, Plan, Planned};
use hotfix_core::port::Clock as _;
use hotfix_core::request::{Goal, Staging, Strategy};
use hotfix_engine::{Engine, SystemClock};
use hotfix_store::SqliteStore;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::{Deserialize, Serialize};

use super::shops::{AT_A_TIME, Small, deployer};
use crate::compare::engine::WillingSource;
use crate::compare::k8s::deploy::Silence;
use crate::compare::k8s::watches::worked;
use crate::compare::memory::resident;
use crate::say;

/// How long the runs wait, which is longer than anybody looks.
const BAKE: Period = Period::from_hours(1);

/// How long the process is left alone before it is looked at, and while it is.
const CALM: Duration = Duration::from_secs(15);
const REST: Duration = Duration::from_secs(60);

/// What the process says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// Its memory before it knew of any shop, and at rest, in bytes.
    pub(super) before: usize,
    pub(super) resident: usize,
    /// Which part of a core it takes at rest.
    pub(super) load: f64,
    /// When the first run was planned, and when all waited.
    pub(super) began: Timestamp,
    pub(super) waiting: Timestamp,
    /// From when to when it was looked at.
    pub(super) rest: [Timestamp; 2],
}

/// Starts a run for each shop, leaves them alone, and says what that takes.
pub(in crate::compare) fn hold(
    namespaces: &str,
    each: usize,
    image: &str,
    kubeconfig: &Path,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let namespaces: Vec<&str> = namespaces.split(',').collect();
    let told = runtime.block_on(observed(&namespaces, each, image, kubeconfig))?;
    say(&serde_json::to_string(&told)?);
    Ok(())
}

async fn observed(namespaces: &[&str], each: usize, image: &str, kubeconfig: &Path) -> Result<Told, Failure> {
    let (image, before) = (ImageReference::new(image)?, resident()?);
    let (options, file) = (KubeConfigOptions::default(), Kubeconfig::read_from(kubeconfig)?);
    let user = kube::Config::from_custom_kubeconfig(file, &options).await?;
    let (shops, folder) = (Small::all(namespaces, each)?, tempfile::tempdir()?);
    let policy = policy(|settings| {
        settings.environments.staging = None;
        settings.rollout.preview_soak = BAKE;
    })?;
    let engine = Engine::builder()
        .version_control(WillingSource(Shop::open()?.source))
        .deployer(deployer(&shops, user)?)
        .metrics(Silence)
        .store(SqliteStore::open(folder.path().join("hotfix.db"), Arc::new(SystemClock)).await?)
        .policy(policy)
        .build()?;
    let began = SystemClock.now();
    let started = stream::iter(&shops).map(|shop| start(&engine, shop, &image));
    started.buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
    let waiting = SystemClock.now();
    tokio::time::sleep(CALM).await;
    let (rest, work) = (SystemClock.now(), worked()?);
    tokio::time::sleep(REST).await;
    let load = (worked()? - work) / REST.as_secs_f64() * 100.0;
    let rest = [rest, SystemClock.now()];
    Ok(Told { before, resident: resident()?, load, began, waiting, rest })
}

/// Brings a run to the gate in which it waits.
async fn start(engine: &Engine, shop: &Small, image: &ImageReference) -> Result<(), Failure> {
    let mut request = request()?;
    request.service = shop.target.service.clone();
    if let Goal::Deploy { image: wanted, strategy, staging, .. } = &mut request.goal {
        *wanted = Some(image.clone());
        *strategy = Some(Strategy::BlueGreen);
        *staging = Staging::Skip;
    }
    let plan = match engine.plan(&request).await? {
        Planned::Plan(plan) => *plan,
        Planned::NothingToDo(nothing) => return Err(Failure::new(nothing.to_string())),
    };
    let bake = bake(&plan).ok_or_else(|| Failure::new("the plan has no bake"))?;
    let mut run = engine.start(plan).await?;
    while let Some(progress) = run.next().await {
        match progress?.kind {
            ProgressKind::StepStarted { step, .. } if step == bake => {
                run.detach();
                return Ok(());
            }
            ProgressKind::Attention { why, .. } | ProgressKind::StepFailed { why, .. } => {
                return Err(Failure::new(format!("{}: {why}", shop.target)));
            }
            ProgressKind::Ended(outcome) => return Err(Failure::new(format!("{}: {outcome}", shop.target))),
            _ => {}
        }
    }
    Err(Failure::new(format!("{}: the run has no end", shop.target)))
}

fn bake(plan: &Plan) -> Option<hotfix_core::plan::StepId> {
    let bakes = |action: &Action| matches!(action, Action::Gate(Gate::Soak { .. }));
    plan.steps().iter().find(|step| bakes(&step.action)).map(|step| step.id)
}
