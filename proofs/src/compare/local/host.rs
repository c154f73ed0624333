//! Our side: an agent in a process of its own, which serves a release of two instances.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_benches::program::{git, run};
use hotfix_core::model::{
    Artifact, IdempotencyKey, ObjectId, Precondition, Release, SlotName, Stamp, TagName, Target, Verb,
    Version, Weights,
};
use hotfix_core::port::{Call, Clock, Deployer, Reply};
use hotfix_engine::SystemClock;
use hotfix_local::{GitTreeSource, Launched, LocalConfig, LocalDeployer, TargetOptions, launch_agent};

use super::process::{Core, Ended};
use crate::compare::clock::Stopwatch;

/// How long anything here may take to come up.
const LONG: Duration = Duration::from_secs(30);

const INSTANCES: NonZeroU16 = NonZeroU16::new(2).expect("two is not zero");

/// The agent and the services that it runs; all gone when it is dropped.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) address: SocketAddr,
    /// Each with its port.
    instances: Vec<(Ended, u16)>,
    _agent: Ended,
    folder: tempfile::TempDir,
}

impl Host {
    /// Starts the agent on the proxies' core, puts the release live and moves its instances to the other core.
    pub(super) async fn start() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let state = folder.path().join("state");
        let release = make_release(folder.path())?;
        let (program, parent) = (std::env::current_exe()?, std::process::id().to_string());
        let mut words: Vec<PathBuf> = Core::Proxy.words().map(PathBuf::from).to_vec();
        words.extend([program, "part".into(), "agent".into(), state.clone(), parent.into()]);
        let agent = match launch_agent(Path::new("taskset"), &words, &state, LONG).await? {
            Launched::Started { pid } => Ended(pid),
            other => return Err(Failure::new(format!("the agent of a fresh folder was {other:?}"))),
        };
        let source = Arc::new(GitTreeSource::new(folder.path().join("source")));
        let deployer = LocalDeployer::new(LocalConfig { state }, source, Arc::new(SystemClock));
        let target: Target = "production/shop".parse()?;
        deployer.add_target(&target, TargetOptions::default()).await?;
        go_live(&deployer, &target, &release).await?;
        let address = deployer.address(&target, LONG).await?;
        let instances = found_instances(folder.path())?;
        for (process, _) in &instances {
            Core::Rest.take(process.0)?;
        }
        Ok(Self { address, instances, _agent: agent, folder })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the instances listen.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.instances.iter().map(|(_, port)| *port).collect()
    }
}

/// Commits a tree that holds nothing but how to start the service.
fn make_release(folder: &Path) -> Result<Release, Failure> {
    let (source, notes) = (folder.join("source"), notes(folder));
    for folder in [&source, &notes] {
        std::fs::create_dir(folder)?;
    }
    let words = [
        std::env::current_exe()?.display().to_string(),
        "part".to_owned(),
        "upstream".to_owned(),
        "{port}".to_owned(),
        notes.display().to_string(),
        std::process::id().to_string(),
    ];
    let manifest = format!("argv = {words:?}\n[health]\npath = \"/\"\n");
    std::fs::write(source.join(hotfix_local::MANIFEST_FILE), manifest)?;
    run(git("git", &source).args(["init", "-q"]))?;
    run(git("git", &source).args(["add", "."]))?;
    let tree = run(git("git", &source).arg("write-tree"))?;
    Ok(Release {
        version: Version::new(1, 0, 0),
        tag: TagName::new("v1.0.0")?,
        artifact: Artifact::Tree(ObjectId::new(tree)?),
    })
}

/// Where each instance leaves its process id and port.
fn notes(folder: &Path) -> PathBuf {
    folder.join("instances")
}

fn found_instances(folder: &Path) -> Result<Vec<(Ended, u16)>, Failure> {
    let mut instances = Vec::new();
    for entry in std::fs::read_dir(notes(folder))? {
        let entry = entry?;
        let process = entry.file_name().to_string_lossy().parse()?;
        instances.push((Ended(process), std::fs::read_to_string(entry.path())?.parse()?));
    }
    if instances.len() == usize::from(INSTANCES.get()) {
        Ok(instances)
    } else {
        Err(Failure::new(format!("{} instances left a note", instances.len())))
    }
}

async fn go_live(deployer: &LocalDeployer, target: &Target, release: &Release) -> Result<(), Failure> {
    let slot = SlotName::new("blue")?;
    let stage = Verb::Stage { slot: slot.clone(), release: release.clone(), replicas: INSTANCES };
    apply(deployer, target, 1, &stage).await?;
    ready(deployer, target, &slot).await?;
    apply(deployer, target, 2, &Verb::Shift { weights: Weights::all(slot.clone()) }).await?;
    apply(deployer, target, 3, &Verb::Promote { slot }).await
}

async fn apply(deployer: &LocalDeployer, target: &Target, number: u32, verb: &Verb) -> Result<(), Failure> {
    let call = Call {
        key: IdempotencyKey::new(format!("compare-{number}"))?,
        stamp: Stamp::new(1, number),
        deadline: SystemClock.now() + chrono::TimeDelta::seconds(30),
    };
    match deployer.apply(&call, target, verb, &Precondition::default()).await {
        Reply::Applied(_) => Ok(()),
        other => Err(Failure::new(format!("{verb:?} came to {other:?}"))),
    }
}

async fn ready(deployer: &LocalDeployer, target: &Target, slot: &SlotName) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    while watch.passed() < LONG {
        let workload = deployer.observe(target).await?;
        if workload.slot(slot).is_some_and(|state| state.ready == INSTANCES.get()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Failure::new("the instances did not become ready"))
}
