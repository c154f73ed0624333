//! The backends of one host: git, local processes behind a proxy, one SQLite file, and whoever is told.

use std::sync::Arc;
use std::time::Duration;

use hotfix::git::{GitConfig, GitVersionControl};
use hotfix::local::{GitTreeSource, LocalConfig, LocalDeployer, LocalMetrics};
use hotfix::model::{Target, WorkerName};
use hotfix::notify::{Console, SlackWebApi, SlackWebhook};
use hotfix::store::SqliteStore;
use hotfix::{Engine, FollowUps, SystemClock};

use crate::config::Config;
use crate::exit::Failure;

/// How long the program stays for messages that are not out yet. What is left is delivered by the next command.
const FLUSH: Duration = Duration::from_secs(5);

/// One call of the program.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) by: Option<String>,
}

impl Session {
    /// Who asks.
    pub(crate) fn person(&self) -> String {
        #[expect(clippy::disallowed_methods, reason = "a command line takes its user from the environment")]
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        self.by.clone().or_else(user).unwrap_or_else(|| "operator".to_owned())
    }

    /// What others are told when this process drives a run.
    fn worker(&self) -> Result<WorkerName, Failure> {
        let fit = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '-' };
        let person: String = self.person().chars().map(fit).take(100).collect();
        Ok(WorkerName::new(format!("{person}:{}", std::process::id()))?)
    }

    pub(crate) fn git(&self) -> Result<GitVersionControl, Failure> {
        let Config { repository, remote, .. } = &self.config;
        let source = GitConfig { path: repository.clone(), remote: remote.clone(), ..GitConfig::default() };
        Ok(GitVersionControl::new(source, Arc::new(SystemClock))?)
    }

    pub(crate) fn deployer(&self) -> LocalDeployer {
        let trees = Arc::new(GitTreeSource::new(&self.config.repository));
        LocalDeployer::new(self.local(), trees, Arc::new(SystemClock))
    }

    pub(crate) async fn store(&self) -> Result<SqliteStore, Failure> {
        let path = &self.config.store;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Failure::usage(format!("store folder {}: {error}", folder.display())))?;
        }
        Ok(SqliteStore::open(path, Arc::new(SystemClock)).await?)
    }

    /// The targets of the policy: staging, if there is one, and production.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let environments = &self.config.policy.environments;
        let names = environments.staging.iter().chain([&environments.production]);
        names.map(|name| Target::new(name.clone(), self.config.service.clone())).collect()
    }

    pub(crate) async fn engine(&self) -> Result<Engine, Failure> {
        let clock = Arc::new(SystemClock);
        let mut builder = Engine::builder()
            .version_control(self.git()?)
            .deployer(self.deployer())
            .metrics(LocalMetrics::new(self.local(), Arc::new(SystemClock)))
            .store(self.store().await?)
            .policy(self.config.policy.clone())
            .worker(self.worker()?)
            // The program ends with its run; `resume` begins the watch and stays for it.
            .follow_ups(FollowUps::Leave);
        let notifiers = &self.config.notifiers;
        if notifiers.console.is_some() {
            builder = builder.notifier(Console::new("stderr", std::io::stderr(), clock)?);
        }
        if let Some(slack) = &notifiers.slack {
            builder = builder.notifier(SlackWebApi::new(slack)?);
        }
        if let Some(webhook) = &notifiers.slack_webhook {
            builder = builder.notifier(SlackWebhook::new(webhook)?);
        }
        Ok(builder.build()?)
    }

    fn local(&self) -> LocalConfig {
        LocalConfig { state: self.config.state.clone() }
    }
}

/// Stays a little for messages that are not out yet.
pub(crate) async fn flush(engine: &Engine) {
    // What could not be delivered stays in the outbox, and `status` shows it.
    let _ = tokio::time::timeout(FLUSH, engine.flush()).await;
}
