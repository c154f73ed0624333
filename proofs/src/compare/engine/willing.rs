//! Backends that do whatever they are told and remember nothing of it, so that what is measured is the engine's.

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use hotfix_core::memory::{MemoryDeployer, MemoryVersionControl};
use hotfix_core::model::{
    IdempotencyKey, ObjectId, Precondition, RefBatch, ServiceName, SlotName, Stamp, Target, Verb, Workload,
    WorkloadSnapshot,
};
use hotfix_core::port::{
    Call, Composed, Deployer, DeployerCapabilities, Probe, Receipt, Recipe, Reply, Seal, Sealed, SourceFacts,
    SourceQuery, VersionControl, VersionControlCapabilities, WorkloadChange, WorkloadWatch,
};

/// A repository that takes every batch.
#[derive(Debug)]
pub(in crate::compare) struct WillingSource(pub(in crate::compare) MemoryVersionControl);

/// A host whose instances are ready at once.
#[derive(Debug)]
pub(super) struct WillingDeployer(pub(super) MemoryDeployer);

#[async_trait]
impl VersionControl for WillingSource {
    fn capabilities(&self) -> VersionControlCapabilities {
        self.0.capabilities()
    }

    async fn observe(&self, query: &SourceQuery) -> hotfix_core::Result<SourceFacts> {
        self.0.observe(query).await
    }

    async fn read_file(&self, commit: &ObjectId, path: &str) -> hotfix_core::Result<Option<String>> {
        self.0.read_file(commit, path).await
    }

    async fn compose(&self, recipe: &Recipe) -> hotfix_core::Result<Vec<Composed>> {
        self.0.compose(recipe).await
    }

    async fn apply(&self, _: &Call, _: &ServiceName, _: &RefBatch) -> Reply {
        done()
    }

    async fn seal(&self, _: &ServiceName, _: Stamp) -> Seal {
        Seal::Sealed(Sealed { previous: Stamp::ZERO })
    }

    async fn probe(&self, _: &ServiceName, _: &IdempotencyKey) -> Probe {
        Probe::NotApplied
    }
}

#[async_trait]
impl Deployer for WillingDeployer {
    fn capabilities(&self, target: &Target) -> DeployerCapabilities {
        self.0.capabilities(target)
    }

    async fn observe(&self, target: &Target) -> hotfix_core::Result<Workload> {
        self.0.observe(target).await
    }

    async fn watch(&self, target: &Target) -> hotfix_core::Result<WorkloadWatch> {
        let slots: Vec<SlotName> = self.0.observe(target).await?.slots.into_keys().collect();
        let ready = |slot| Ok(WorkloadChange::Instances { slot, replicas: 3, ready: 3 });
        Ok(stream::iter(slots).map(ready).chain(stream::pending()).boxed())
    }

    async fn snapshot(&self, target: &Target) -> hotfix_core::Result<WorkloadSnapshot> {
        self.0.snapshot(target).await
    }

    async fn apply(&self, _: &Call, _: &Target, _: &Verb, _: &Precondition) -> Reply {
        done()
    }

    async fn seal(&self, _: &Target, _: Stamp) -> Seal {
        Seal::Sealed(Sealed { previous: Stamp::ZERO })
    }

    async fn probe(&self, _: &Target, _: &IdempotencyKey) -> Probe {
        Probe::NotApplied
    }
}

fn done() -> Reply {
    Reply::Applied(Receipt("done".to_owned()))
}
