//! The folder in which everything of the example lives, and the engine that works on it.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hotfix::git::{GitConfig, GitVersionControl};
use hotfix::local::{
    GitTreeSource, LocalConfig, LocalDeployer, LocalMetrics, TargetOptions, WriteKind, accepted_writes,
    launch_agent,
};
use hotfix::model::{
    Artifact, BranchName, IssueKey, JudgeSettings, ObjectId, Period, Release, ServiceName, Severity, TagName,
    Target, Version, WorkerName,
};
use hotfix::notify::Console;
use hotfix::policy::{Policy, Settings};
use hotfix::port::{Clock, Deployer};
use hotfix::request::{Fix, Goal, Request, Revision, Staging};
use hotfix::store::SqliteStore;
use hotfix::{Engine, SystemClock};
use hotfix_examples::repository::Repository;

use crate::Failure;

/// The folder of the example.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

pub(crate) const SERVICE: &str = "shop";

fn production() -> Result<Target, Failure> {
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

    /// Where the messages to people go: what a chat room would show.
    pub(crate) fn messages(&self) -> PathBuf {
        self.0.join("messages.log")
    }

    pub(crate) fn repository(&self) -> Repository {
        Repository::open(&self.0)
    }

    fn state(&self) -> LocalConfig {
        LocalConfig { state: self.0.join("local") }
    }

    /// Counts the effects that a target applied more than once, by the target's own log and not by our journal.
    pub(crate) fn double_applies(&self) -> Result<usize, Failure> {
        let mut doubled = 0;
        for target in [staging()?, production()?] {
            let mut seen = BTreeSet::new();
            for write in accepted_writes(&self.state().state, &target)? {
                if let WriteKind::Applied { key, .. } = write.kind {
                    doubled += usize::from(!seen.insert(key));
                }
            }
        }
        Ok(doubled)
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

    pub(crate) fn deployer(&self) -> LocalDeployer {
        let trees = GitTreeSource::new(self.repository().path());
        LocalDeployer::new(self.state(), Arc::new(trees), Arc::new(SystemClock))
    }

    /// Builds an engine: the five backends and a policy.
    pub(crate) async fn engine(&self, worker: &str, quiet: Quiet) -> Result<Engine, Failure> {
        self.engine_with(worker, quiet, self.deployer()).await
    }

    /// Builds an engine on another deployer than this host's.
    pub(crate) async fn engine_with(
        &self,
        worker: &str,
        quiet: Quiet,
        deployer: impl Deployer + 'static,
    ) -> Result<Engine, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let source = GitConfig {
            path: self.repository().path().to_owned(),
            remote: Some("origin".to_owned()),
            ..GitConfig::default()
        };
        let mut builder = Engine::builder()
            .version_control(GitVersionControl::new(source, Arc::clone(&clock))?)
            .deployer(deployer)
            .metrics(LocalMetrics::new(self.state(), Arc::clone(&clock)))
            .store(SqliteStore::open(self.journal(), Arc::clone(&clock)).await?)
            .policy(policy()?)
            .worker(WorkerName::new(worker)?);
        if quiet == Quiet::No {
            let messages = std::fs::OpenOptions::new().create(true).append(true).open(self.messages())?;
            builder = builder.notifier(Console::new("messages", messages, clock)?);
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
        let (deployer, replicas) = (self.deployer(), NonZeroU16::new(2).ok_or("two is not zero")?);
        for target in [staging()?, production()?] {
            deployer.add_target(&target, TargetOptions::default()).await?;
            deployer.install(&target, &release, replicas, Duration::from_secs(20)).await?;
        }
        Ok(deployer.address(&production()?, Duration::from_secs(10)).await?)
    }
}

/// Whether people are told.
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
    // Nobody stays for the watch of two hours.
    settings.after_success.lasting = Period::default();
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
