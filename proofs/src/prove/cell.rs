//! A world on this host: repositories, an agent in its own process, v2.1.0 live on two targets, users, and a journal.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotfix_core::model::{
    Artifact, IdempotencyKey, ObjectId, Precondition, Release, SlotName, Stamp, TagName, Target, Verb,
    Version, Weights,
};
use hotfix_core::port::{Call, Clock, Deployer, Reply};
use hotfix_engine::SystemClock;
use hotfix_local::{GitTreeSource, LocalConfig, LocalDeployer, TargetOptions, launch_agent};
use hotfix_testkit::cluster::FaultProxy;

use super::audit::{self, Ending, Findings, Journal, Site};
use super::driver::Backend;
use super::driver::local::STATE;
use super::program;
use super::repository::{self, ORIGIN, Patch, Template, WORK};
use super::spots;
use super::traffic::{self, Traffic};
use super::world::{Home, LONG, Spot, Successors, World, eventually};

/// What all cells share.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) template: Template,
    /// The program that plays the parts.
    pub(super) program: PathBuf,
    /// Where the folders of the cells are made.
    pub(super) folder: PathBuf,
}

/// One world on this host.
#[derive(Debug)]
pub(super) struct Cell {
    home: Home,
    /// Where staging and production take requests.
    addresses: [SocketAddr; 2],
    traffic: Traffic,
}

impl World for Cell {
    type Ground = Ground;

    const AT_ONCE: usize = 3;

    fn sample(_ground: &Ground) -> usize {
        12
    }

    async fn open(ground: &Ground, name: &str) -> Result<Self, String> {
        let home = Home::make(ground.folder.join(name), &ground.program, Backend::Local)?;
        let furnished = furnish(ground, &home.folder).await;
        let (addresses, traffic) =
            furnished.map_err(|error| format!("the world of {name} cannot be built: {error}"))?;
        Ok(Self { home, addresses, traffic })
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn keep(&mut self) -> PathBuf {
        self.home.keep()
    }

    fn spots(&self, patch: Patch) -> Result<Vec<Spot>, String> {
        let journal = Journal::read(&self.home.journal())?;
        let effects = spots::effects(&journal, patch);
        let inside = effects.iter().flat_map(|(step, what)| spots::of_effect(step.0, what, Successors::All));
        let beside = spots::of_run(patch).into_iter().chain(spots::of_verdicts(&journal, patch));
        Ok(beside.chain(inside).collect())
    }

    fn network(&self) -> Option<&FaultProxy> {
        None
    }

    fn at_any_moment(&self, findings: &mut Findings) {
        audit::at_any_moment(&self.site(), findings);
    }

    async fn at_the_end(&self, ending: Ending, findings: &mut Findings) {
        let site = self.site();
        let settled = eventually("the processes are as wanted", async || audit::processes(&site).ok()).await;
        let settled = settled.and_then(|()| audit::processes(&site));
        findings.check(settled.is_ok(), || settled.err().unwrap_or_default());
        audit::at_the_end(&site, ending, findings);
        let release = if ending == Ending::Live { "good" } else { "baseline" };
        for address in self.addresses {
            let answer = traffic::who_answers(address).await;
            findings
                .check(answer.as_deref() == Ok(release), || format!("{address} is answered by {answer:?}"));
        }
        audit::check_answers(&self.traffic.answers(), findings);
    }

    fn fingerprint(&self) -> Result<String, String> {
        audit::fingerprint(&self.site())
    }
}

impl Cell {
    fn site(&self) -> Site {
        let below = |name: &str| self.home.below(name);
        Site {
            journal: self.home.journal(),
            origin: below(ORIGIN),
            work: below(WORK),
            state: below(STATE),
            folder: self.home.folder.clone(),
        }
    }
}

fn targets() -> [Target; 2] {
    ["staging/shop", "production/shop"].map(|target| target.parse().expect("two labels"))
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
