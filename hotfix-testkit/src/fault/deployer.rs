//! Faults on the way to a deployer.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::model::{IdempotencyKey, Precondition, Stamp, Target, Verb, Workload, WorkloadSnapshot};
use hotfix_core::port::{Call, Deployer, DeployerCapabilities, Probe, Reply, Seal, WorkloadWatch};

use super::{Faults, failure, probe, reply, seal, through};

/// A deployer behind a bad network.
#[derive(Debug, Clone)]
pub struct FaultyDeployer {
    inner: Arc<dyn Deployer>,
    faults: Faults,
}

impl FaultyDeployer {
    /// Wraps a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn Deployer>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Deployer for FaultyDeployer {
    fn capabilities(&self, target: &Target) -> DeployerCapabilities {
        self.inner.capabilities(target)
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        through!(self, Observe, |inner, target| inner.observe(&target), failure("deployer.observe"))
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        through!(self, Watch, |inner, target| inner.watch(&target), failure("deployer.watch"))
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        through!(self, Snapshot, |inner, target| inner.snapshot(&target), failure("deployer.snapshot"))
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        through!(
            self,
            Apply,
            |inner, call, target, verb, precondition| inner.apply(&call, &target, &verb, &precondition),
            reply
        )
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        through!(self, Seal, |inner, target, stamp| inner.seal(&target, stamp), seal)
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        through!(self, Probe, |inner, target, key| inner.probe(&target, &key), probe)
    }
}
