//! A small world for one proof: repositories, an agent in its own process, v2.1.0 live, users, and a journal.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::{
    Artifact, IdempotencyKey, ObjectId, Precondition, Release, SlotName, Stamp, TagName, Target, Verb,
    Version, Weights,
};
use hotfix_core::port::{Call, Clock, Deployer, Reply};
use hotfix_engine::SystemClock;
use hotfix_local::{GitTreeSource, LocalConfig, LocalDeployer, TargetOptions, launch_agent};
use tokio::time::Instant;

use super::driver::STATE;
use super::program::{self, Running, processes_of};
use super::repository::{self, Patch, Template};
use super::traffic::Traffic;

/// Everything is fast here; a step that takes this long has failed.
pub(super) const LONG: Duration = Duration::from_secs(60);
/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What all cells share.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) template: Template,
    /// The program that plays the parts.
    pub(super) program: PathBuf,
    /// Where the folders of the cells are made.
    pub(super) folder: PathBuf,
}

/// One world, gone with this value unless it is kept.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) folder: PathBuf,
    program: PathBuf,
    /// Where staging and production take requests.
    pub(super) addresses: [SocketAddr; 2],
    pub(super) traffic: Traffic,
    kept: bool,
}

pub(super) fn targets() -> [Target; 2] {
    ["staging/shop", "production/shop"].map(|target| target.parse().expect("two labels"))
}

impl Cell {
    /// Builds a world in a fresh folder.
    pub(super) async fn open(ground: &Ground, name: &str) -> Result<Self, String> {
        let folder = ground.folder.join(name);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        match Self::furnish(ground, &folder).await {
            Ok((addresses, traffic)) => {
                let program = ground.program.clone();
                Ok(Self { folder, program, addresses, traffic, kept: false })
            }
            Err(error) => {
                clear(&folder);
                Err(format!("the world of {name} cannot be built: {error}"))
            }
        }
    }

    async fn furnish(ground: &Ground, folder: &Path) -> Result<([SocketAddr; 2], Traffic), String> {
        ground.template.copy_to(folder)?;
        let (state, work) = (folder.join(STATE), folder.join(repository::WORK));
        let arguments = [super::AGENT, state.to_str().ok_or("the folder is not UTF-8")?];
        launch_agent(&ground.program, &arguments, &state, LONG).await.map_err(|error| error.to_string())?;
        let trees = Arc::new(GitTreeSource::new(work.clone()));
        let deployer = LocalDeployer::new(LocalConfig { state }, trees, Arc::new(SystemClock));
        let release = baseline(&work)?;
        let [staging, production] = targets();
        let (staging, production) =
            tokio::join!(install(&deployer, &staging, &release), install(&deployer, &production, &release));
        let (staging, production) = (staging?, production?);
        Ok(([staging, production], Traffic::to(production)))
    }

    /// Starts a driver with its output in a file of the world.
    pub(super) fn drive(&self, worker: &str, words: &[&str]) -> Result<Running, String> {
        let log = self.folder.join(format!("driver-{worker}.log"));
        let open = || fs::OpenOptions::new().append(true).create(true).open(&log);
        let (output, errors) = open()
            .and_then(|file| Ok((file, open()?)))
            .map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = program::command(&self.program);
        command.arg(super::DRIVE).arg(&self.folder).arg(worker).args(words);
        command.stdout(Stdio::from(output)).stderr(Stdio::from(errors));
        command.spawn().map(Running).map_err(|error| format!("a driver cannot be started: {error}"))
    }

    pub(super) fn start(&self, worker: &str, patch: Patch, point: Option<&str>) -> Result<Running, String> {
        let words: Vec<&str> = ["start", patch.name()].into_iter().chain(point).collect();
        self.drive(worker, &words)
    }

    /// Keeps the folder as evidence. The processes go.
    pub(super) fn keep(&mut self) -> PathBuf {
        self.kept = true;
        self.folder.clone()
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        for process in processes_of(&self.folder) {
            process.kill();
        }
        if !self.kept {
            clear(&self.folder);
        }
    }
}

fn clear(folder: &Path) {
    for process in processes_of(folder) {
        process.kill();
    }
    // A process that is just ending may still write; what stays behind goes with the folder of all cells.
    let _ = fs::remove_dir_all(folder);
}

fn baseline(work: &Path) -> Result<Release, String> {
    let text = |error: hotfix_core::model::InvalidValue| error.to_string();
    let tree = program::git(work, &["rev-parse", "v2.1.0^{tree}"])?;
    Ok(Release {
        version: Version::new(2, 1, 0),
        tag: TagName::new("v2.1.0").map_err(text)?,
        artifact: Artifact::Tree(ObjectId::new(tree).map_err(text)?),
    })
}

/// Brings the first release live on an empty target, below every stamp of a run.
async fn install(deployer: &LocalDeployer, target: &Target, release: &Release) -> Result<SocketAddr, String> {
    let added = deployer.add_target(target, TargetOptions::default()).await;
    added.map_err(|error| error.to_string())?;
    let blue = SlotName::new("blue").map_err(|error| error.to_string())?;
    let stage = Verb::Stage { slot: blue.clone(), release: release.clone(), replicas: NonZeroU16::MIN };
    apply(deployer, target, 1, &stage).await?;
    eventually("the first release is ready", async || {
        let workload = deployer.observe(target).await.ok()?;
        (workload.slot(&blue)?.ready == 1).then_some(())
    })
    .await?;
    apply(deployer, target, 2, &Verb::Shift { weights: Weights::all(blue.clone()) }).await?;
    apply(deployer, target, 3, &Verb::Promote { slot: blue }).await?;
    deployer.address(target, LONG).await.map_err(|error| error.to_string())
}

async fn apply(deployer: &LocalDeployer, target: &Target, seq: u32, verb: &Verb) -> Result<(), String> {
    let call = Call {
        key: IdempotencyKey::new(format!("setup:{seq}")).map_err(|error| error.to_string())?,
        stamp: Stamp::new(0, seq),
        deadline: SystemClock.now() + chrono::TimeDelta::seconds(30),
    };
    match deployer.apply(&call, target, verb, &Precondition::default()).await {
        Reply::Applied(_) => Ok(()),
        other => Err(format!("{verb} on {target}: {other:?}")),
    }
}

/// Polls until `look` finds something; the deadline only ends a proof that has failed.
pub(super) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T, String> {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(format!("waited {} s in vain until {what}", LONG.as_secs()));
        }
        tokio::time::sleep(LOOK).await;
    }
}
