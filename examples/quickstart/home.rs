//! The folder in which everything of the example lives, and the engine that works on it.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hotfix::git::{GitConfig, GitVersionControl};
use hotfix::local::{GitTreeSource, LocalConfig, LocalDeployer, LocalMetrics, TargetOptions, launch_agent};
use hotfix::model::{
    Artifact, BranchName, IdempotencyKey, IssueKey, JudgeSettings, ObjectId, Period, Precondition, Release,
    ServiceName, Severity, SlotName, Stamp, TagName, Target, Verb, Version, Weights, WorkerName,
};
use hotfix::notify::Console;
use hotfix::policy::{Policy, Settings};
use hotfix::port::{Call, Clock as _, Deployer as _, Reply};
use hotfix::request::{Fix, Goal, Request, Revision, Staging};
use hotfix::store::SqliteStore;
use hotfix::{Engine, SystemClock};

use crate::Failure;
use crate::repository::Repository;

/// The folder of the example.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

pub(crate) const SERVICE: &str = "shop";

pub(crate) fn production() -> Result<Target, Failure> {
    Ok(format!("production/{SERVICE}").parse()?)
}

fn staging() -> Result<Target, Failure> {
    Ok(format!("staging/{SERVICE}").parse()?)
}

impl Home {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.0.join("hotfix.db")
    }

    pub(crate) fn repository(&self) -> Repository {
        Repository::open(&self.0)
    }

    fn state(&self) -> LocalConfig {
        LocalConfig { state: self.0.join("local") }
    }

    /// The log of the mutations that a target accepted.
    pub(crate) fn writes(&self, environment: &str) -> PathBuf {
        self.state().state.join("targets").join(environment).join(SERVICE).join("writes.jsonl")
    }

    /// Starts the agent as a process of its own and returns its process id.
    pub(crate) async fn start_agent(&self) -> Result<Option<u32>, Failure> {
        let state = self.state().state;
        let arguments = ["agent".as_ref(), state.as_os_str()];
        let launched =
            launch_agent(&std::env::current_exe()?, &arguments, &state, Duration::from_secs(20)).await?;
        Ok(match launched {
            hotfix::local::Launched::Started { pid } => Some(pid),
            _ => None,
        })
    }

    fn deployer(&self) -> LocalDeployer {
        let trees = GitTreeSource::new(self.repository().path());
        LocalDeployer::new(self.state(), Arc::new(trees), Arc::new(SystemClock))
    }

    /// Builds an engine: the five backends and a policy.
    pub(crate) async fn engine(&self, worker: &str, quiet: Quiet) -> Result<Engine, Failure> {
        let clock = Arc::new(SystemClock);
        let source = GitConfig {
            path: self.repository().path().to_owned(),
            remote: Some("origin".to_owned()),
            ..GitConfig::default()
        };
        let mut builder = Engine::builder()
            .version_control(GitVersionControl::new(source, clock.clone())?)
            .deployer(self.deployer())
            .metrics(LocalMetrics::new(self.state(), clock.clone()))
            .store(SqliteStore::open(self.journal(), clock.clone()).await?)
            .policy(policy()?)
            .worker(WorkerName::new(worker)?);
        if quiet == Quiet::No {
            builder = builder.notifier(Console::stdout(clock)?);
        }
        Ok(builder.build()?)
    }

    /// Puts the first release live on both environments, as the operator of a new host does once, and returns where
    /// production listens.
    pub(crate) async fn install(&self) -> Result<std::net::SocketAddr, Failure> {
        let release = Release {
            version: Version::new(2, 1, 0),
            tag: TagName::new("v2.1.0")?,
            artifact: Artifact::Tree(ObjectId::new(self.repository().git(&["rev-parse", "v2.1.0^{tree}"])?)?),
        };
        for target in [staging()?, production()?] {
            self.install_on(&target, &release).await?;
        }
        Ok(self.deployer().address(&production()?, Duration::from_secs(10)).await?)
    }

    async fn install_on(&self, target: &Target, release: &Release) -> Result<(), Failure> {
        let deployer = self.deployer();
        deployer.add_target(target, TargetOptions::default()).await?;
        let slot = SlotName::new("blue")?;
        let replicas = NonZeroU16::new(2).ok_or("two is not zero")?;
        let verbs = [
            Verb::Stage { slot: slot.clone(), release: release.clone(), replicas },
            Verb::Shift { weights: Weights::all(slot.clone()) },
            Verb::Promote { slot: slot.clone() },
        ];
        for (seq, verb) in (1..).zip(verbs) {
            let call = Call {
                key: IdempotencyKey::new(format!("install:{target}:{seq}").replace('/', "-"))?,
                stamp: Stamp::new(0, seq),
                deadline: SystemClock.now() + Period::from_secs(20).to_delta(),
            };
            match deployer.apply(&call, target, &verb, &Precondition::default()).await {
                Reply::Applied(_) => {}
                other => return Err(format!("{target}: {verb}: {other:?}").into()),
            }
            while seq == 1 && deployer.observe(target).await?.slot(&slot).is_none_or(|held| held.ready < 2) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }
}

/// Whether messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quiet {
    Yes,
    No,
}

/// A policy for an example that should end within a minute: looks several times a second, and a quick profile.
fn policy() -> Result<Policy, Failure> {
    let mut settings = Settings::default();
    settings.source.production = BranchName::new("production")?;
    settings.source.develop = Some(BranchName::new("develop")?);
    settings.rollout.staging_soak = Period::from_secs(1);
    settings.rollout.verify_deadline = Period::from_secs(60);
    settings.execution.look = Period::from_millis(200);
    settings.execution.lease = Period::from_secs(2);
    settings.execution.backoff = Period::from_millis(100);
    settings.judging.judge = JudgeSettings::fast();
    settings.judging.pace.max_dwell = 12;
    settings.judging.pace.alone_dwell = 12;
    Ok(Policy::new(settings)?)
}

/// The request to ship a fix.
pub(crate) fn request(issue: &str, title: &str, fix: &str) -> Result<Request, Failure> {
    let goal = Goal::Deploy {
        fix: Fix::Commits(vec![Revision::new(fix)?]),
        from: None,
        image: None,
        strategy: None,
        staging: Staging::First,
    };
    let mut request =
        Request::new(IssueKey::new(issue)?, title, Severity::P0, ServiceName::new(SERVICE)?, "ada", goal);
    request.break_glass = Some("customers cannot pay".to_owned());
    Ok(request)
}
