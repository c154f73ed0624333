//! Faults on the way to a repository.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::model::{IdempotencyKey, ObjectId, RefBatch, ServiceName, Stamp};
use hotfix_core::port::{
    Call, Composed, Probe, Recipe, Reply, Seal, SourceFacts, SourceQuery, VersionControl,
    VersionControlCapabilities,
};

use super::{Faults, failure, probe, reply, seal, through};

/// A repository behind a bad network.
#[derive(Debug, Clone)]
pub struct FaultyVersionControl {
    inner: Arc<dyn VersionControl>,
    faults: Faults,
}

impl FaultyVersionControl {
    /// Wraps a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn VersionControl>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl VersionControl for FaultyVersionControl {
    fn capabilities(&self) -> VersionControlCapabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, query: &SourceQuery) -> Result<SourceFacts> {
        through!(self, Observe, |inner, query| inner.observe(&query), failure("version_control.observe"))
    }

    async fn read_file(&self, commit: &ObjectId, path: &str) -> Result<Option<String>> {
        let path = path.to_owned();
        through!(
            self,
            ReadFile,
            |inner, commit, path| inner.read_file(&commit, &path),
            failure("version_control.read_file")
        )
    }

    async fn compose(&self, recipe: &Recipe) -> Result<Vec<Composed>> {
        through!(self, Compose, |inner, recipe| inner.compose(&recipe), failure("version_control.compose"))
    }

    async fn apply(&self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply {
        through!(self, Apply, |inner, call, service, batch| inner.apply(&call, &service, &batch), reply)
    }

    async fn seal(&self, service: &ServiceName, stamp: Stamp) -> Seal {
        through!(self, Seal, |inner, service, stamp| inner.seal(&service, stamp), seal)
    }

    async fn probe(&self, service: &ServiceName, key: &IdempotencyKey) -> Probe {
        through!(self, Probe, |inner, service, key| inner.probe(&service, &key), probe)
    }
}
