//! The deployer's own state and the steps its verbs are made of.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::{Artifact, Target, Verb};
use hotfix_core::port::Clock;
use tokio::time::Instant;

use crate::agent::Until;
use crate::client::AgentClient;
use crate::config::{LocalConfig, TargetOptions};
use crate::error::LocalError;
use crate::layout::Root;
use crate::ledger::{self, Ledger, LedgerError};
use crate::lock::{Lock, LockError};
use crate::release::{ReleaseSource, Releases};
use crate::state::TargetState;

/// Deploys trees to this host, as processes behind the proxies of an [`Agent`](crate::Agent).
///
/// Any number of deployers, in any number of processes, can share a state directory. The agent must run, in a
/// process of its own or in this one.
#[derive(Debug, Clone)]
pub struct LocalDeployer {
    pub(crate) root: Root,
    pub(crate) client: AgentClient,
    pub(crate) clock: Arc<dyn Clock>,
    source: Arc<dyn ReleaseSource>,
}

/// How long adding a target waits for whoever holds its lock.
const ADD_LIMIT: Duration = Duration::from_secs(5);

impl LocalDeployer {
    /// Builds a deployer that takes its releases from `source`.
    #[must_use]
    pub fn new(config: LocalConfig, source: Arc<dyn ReleaseSource>, clock: Arc<dyn Clock>) -> Self {
        let root = Root::new(config.state);
        Self { client: AgentClient::new(root.clone()), root, clock, source }
    }

    /// Makes a target known to this host, empty; one that is known stays as it is, `options` included.
    ///
    /// # Errors
    /// [`LocalError::Io`] when its folder cannot be written, [`LocalError::Locked`], [`LocalError::Corrupt`].
    pub async fn add_target(&self, target: &Target, options: TargetOptions) -> Result<(), LocalError> {
        let folder = self.root.target(target);
        fs::create_dir_all(folder.path()).map_err(LocalError::io("create", folder.path()))?;
        let state = TargetState::empty(options.slots.into_names(), options.listen);
        let adding = async {
            let ledger = self.ledger(target, Instant::now() + ADD_LIMIT).await?;
            self.blocking(move || ledger.create(&state)).await
        };
        adding.await.map_err(|error| match error {
            LedgerError::NotWritten(error) | LedgerError::Unsure(error) => error,
        })
    }

    /// Returns where the target's proxy takes requests, waiting for it at most `within`.
    ///
    /// # Errors
    /// [`LocalError::NoTarget`], [`LocalError::AgentDown`], and [`LocalError::Agent`] with the reason when the port
    /// is not open by then.
    pub async fn address(&self, target: &Target, within: Duration) -> Result<SocketAddr, LocalError> {
        let deadline = Instant::now() + within;
        let mut until = Until::default();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let report = self.client.report(target, until, left).await?;
            match report.address {
                Some(address) => return Ok(address),
                None if left.is_zero() => {
                    let trouble = report.trouble.unwrap_or_else(|| "it is not open yet".to_owned());
                    return Err(self.client.failure(&format!("open the port of {target}"), trouble));
                }
                None => until.version_not = Some(report.version),
            }
        }
    }

    pub(crate) fn state(&self, target: &Target) -> Result<TargetState, LocalError> {
        ledger::load(&self.root.target(target))?
            .ok_or_else(|| LocalError::NoTarget { target: target.clone(), root: self.root.path().to_owned() })
    }

    /// Takes the target's lock.
    pub(crate) async fn ledger(&self, target: &Target, deadline: Instant) -> Result<Ledger, LedgerError> {
        let folder = self.root.target(target);
        let path = folder.state_lock();
        let taken = Ledger::open(folder, deadline).await;
        Ok(taken.map_err(|error| locked(target, path, error))?)
    }

    /// Makes sure that the release a verb brings is there.
    pub(crate) async fn export(&self, target: &Target, verb: &Verb) -> Result<(), LocalError> {
        let release = match verb {
            Verb::Stage { release, .. } => release,
            Verb::Restore { snapshot } => &snapshot.release,
            _ => return Ok(()),
        };
        // What is no tree is refused by the rules of the verb.
        let Artifact::Tree(tree) = release.artifact.clone() else {
            return Ok(());
        };
        let folder = self.root.target(target);
        let path = folder.releases_lock();
        let taken = Lock::take(&path, Instant::now() + EXPORT_LIMIT).await;
        let lock = taken.map_err(|error| locked(target, path, error))?;
        let source = Arc::clone(&self.source);
        let exported = self.blocking(move || {
            let exported = Releases::new(folder.releases()).ensure(&*source, &tree);
            drop(lock);
            exported
        });
        exported.await.map(|_| ())
    }

    /// Runs what touches the disk away from the runtime's threads. It is finished even when nobody waits any more.
    pub(crate) async fn blocking<T, E>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<LocalError> + Send + 'static,
    {
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => Err(E::from(LocalError::Unsupported {
                reason: format!("the runtime is going down: {error}"),
            })),
        }
    }
}

/// How long an export waits for another one of the same target.
const EXPORT_LIMIT: Duration = Duration::from_secs(120);

fn locked(target: &Target, path: PathBuf, error: LockError) -> LocalError {
    match error {
        LockError::Held(holder) => LocalError::Locked { target: target.clone(), holder },
        LockError::Io(source) => LocalError::Io { action: "lock", path, source },
    }
}
