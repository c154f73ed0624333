//! The port: every call opens the repository on a blocking thread, does its work and closes it.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::{IdempotencyKey, ObjectId, RefBatch, ServiceName, Stamp, Timestamp};
use hotfix_core::port::{
    Ambiguity, Atomicity, Call, Clock, Composed, FetchMode, Probe, Recipe, Reply, Seal, SourceFacts,
    SourceQuery, VersionControl, VersionControlCapabilities,
};

use crate::config::GitConfig;
use crate::convert::oid;
use crate::error::Error;
use crate::limit::Limit;
use crate::path::TreePath;
use crate::program::{GitProgram, StopToken};
use crate::remote::Remote;
use crate::repo::Repo;
use crate::truth::Truth;
use crate::{apply, compose, observe};

/// A git repository as the [`VersionControl`] port, with or without a remote.
///
/// It needs a tokio runtime. Dropping the future of a call ends the git program it runs.
#[derive(Clone)]
pub struct GitVersionControl {
    config: Arc<GitConfig>,
    program: GitProgram,
    clock: Arc<dyn Clock>,
}

impl GitVersionControl {
    /// Opens the repository once, to refuse early what cannot work.
    ///
    /// # Errors
    /// See [`Repo::open`]; [`Error::NoRemote`] and [`Error::SplitRemote`] for the remote.
    pub fn new(config: GitConfig, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let program = GitProgram { path: config.program.clone(), env: Vec::new() };
        let backend = Self { config: Arc::new(config), program, clock };
        let limit = backend.limit(None);
        let repo = Repo::open(&backend.config.path)?;
        if let Some(name) = &backend.config.remote {
            Remote::open(&repo, name, &limit)?;
        }
        Ok(backend)
    }

    /// Sets variables for the git program, such as `GIT_SSH_COMMAND`, beside those it inherits. They are never printed.
    #[must_use]
    pub fn with_env(mut self, env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.program.env.extend(env);
        self
    }

    fn limit(&self, deadline: Option<Timestamp>) -> Limit {
        Limit::new(Arc::clone(&self.clock), deadline, self.config.timeout.to_duration())
    }

    /// Opens the repository and does the work on it.
    fn with_truth<T>(
        &self,
        limit: &Limit,
        fetch: FetchMode,
        work: impl FnOnce(&Truth<'_>) -> T,
    ) -> Result<T, Error> {
        let repo = Repo::open(&self.config.path)?.with_program(self.program.clone());
        let truth = match (&self.config.remote, fetch) {
            (Some(name), FetchMode::Remote) => Truth::There(Remote::open(&repo, name, limit)?),
            _ => Truth::Here(&repo),
        };
        Ok(work(&truth))
    }

    /// Runs the work on a blocking thread. `None`: it panicked, or the runtime is going down.
    async fn blocking<T: Send + 'static>(
        &self,
        deadline: Option<Timestamp>,
        work: impl FnOnce(Self, Limit) -> T + Send + 'static,
    ) -> Option<T> {
        let limit = self.limit(deadline);
        let mut stop = StopOnDrop(Some(limit.stop_token().clone()));
        let backend = self.clone();
        let done = tokio::task::spawn_blocking(move || work(backend, limit)).await;
        stop.0 = None;
        done.ok()
    }
}

/// Ends the git program when the future that waits for it is dropped.
struct StopOnDrop(Option<StopToken>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(token) = &self.0 {
            token.stop();
        }
    }
}

const LOST: &str = "the work on the repository ended without an answer";

#[async_trait]
impl VersionControl for GitVersionControl {
    fn capabilities(&self) -> VersionControlCapabilities {
        VersionControlCapabilities { atomic: Atomicity::AllOrNothing, remote: self.config.remote.clone() }
    }

    async fn observe(&self, query: &SourceQuery) -> hotfix_core::Result<SourceFacts> {
        let query = query.clone();
        let facts = self.blocking(None, move |backend, limit| {
            backend.with_truth(&limit, query.fetch, |truth| observe::observe(truth, &query)).flatten()
        });
        answer(facts.await, "version_control.observe")
    }

    async fn read_file(&self, commit: &ObjectId, path: &str) -> hotfix_core::Result<Option<String>> {
        let (commit, path) = (commit.clone(), TreePath::from(path));
        let read = self.blocking(None, move |backend, limit| {
            let work = |truth: &Truth<'_>| {
                let id = oid(&commit).ok_or_else(|| Error::NotFound { name: commit.to_string() })?;
                truth.repo().read_file(id, &path)
            };
            backend.with_truth(&limit, FetchMode::Local, work).flatten()
        });
        answer(read.await, "version_control.read_file")
    }

    async fn compose(&self, recipe: &Recipe) -> hotfix_core::Result<Vec<Composed>> {
        let recipe = recipe.clone();
        let composed = self.blocking(None, move |backend, limit| {
            backend
                .with_truth(&limit, FetchMode::Local, |truth| compose::compose(truth.repo(), &recipe))
                .flatten()
        });
        answer(composed.await, "version_control.compose")
    }

    async fn apply(&self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply {
        let (call, service, batch) = (call.clone(), service.clone(), batch.clone());
        let reply = self.blocking(Some(call.deadline), move |backend, limit| {
            let work = |truth: &Truth<'_>| apply::apply(truth, &limit, &call, &service, &batch);
            backend
                .with_truth(&limit, FetchMode::Remote, work)
                .unwrap_or_else(|error| apply::not_done(&error))
        });
        reply.await.unwrap_or_else(|| Reply::Ambiguous(Ambiguity::Interrupted { cause: LOST.to_owned() }))
    }

    async fn seal(&self, service: &ServiceName, stamp: Stamp) -> Seal {
        let service = service.clone();
        let unreachable = |cause: String| Seal::Unreachable { cause };
        let seal = self.blocking(None, move |backend, limit| {
            let work = |truth: &Truth<'_>| apply::seal(truth, &limit, &service, stamp);
            backend
                .with_truth(&limit, FetchMode::Remote, work)
                .unwrap_or_else(|error| unreachable(error.to_string()))
        });
        seal.await.unwrap_or_else(|| unreachable(LOST.to_owned()))
    }

    async fn probe(&self, service: &ServiceName, key: &IdempotencyKey) -> Probe {
        let (service, key) = (service.clone(), key.clone());
        let unreadable = |cause: String| Probe::Unreadable { cause };
        let probe = self.blocking(None, move |backend, limit| {
            let work = |truth: &Truth<'_>| apply::probe(truth, &service, &key);
            backend
                .with_truth(&limit, FetchMode::Remote, work)
                .unwrap_or_else(|error| unreadable(error.to_string()))
        });
        probe.await.unwrap_or_else(|| unreadable(LOST.to_owned()))
    }
}

fn answer<T>(done: Option<Result<T, Error>>, operation: &'static str) -> hotfix_core::Result<T> {
    match done {
        Some(result) => result.map_err(|error| error.into_port(operation)),
        None => Err(hotfix_core::Error::new(hotfix_core::ErrorKind::Unexpected, operation, LOST)),
    }
}

impl fmt::Debug for GitVersionControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitVersionControl").field("config", &self.config).finish_non_exhaustive()
    }
}
