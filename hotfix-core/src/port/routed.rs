//! One deployer made of several, each for its targets: two clusters, or a cluster and this host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Call, Deployer, DeployerCapabilities, Fence, Probe, Rejection, Reply, Seal, TrafficSplit, WorkloadWatch,
};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{IdempotencyKey, Precondition, Stamp, Target, Verb, Workload, WorkloadSnapshot};

/// A [`Deployer`] that hands each target to the deployer that it belongs to.
///
/// A target that belongs to none is `NotFound`; its effects are refused for ever, and it can be neither sealed nor probed.
/// A deployer may stand for any number of targets.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
///
/// use hotfix_core::memory::MemoryDeployer;
/// use hotfix_core::port::{Deployer, RoutedDeployer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let [europe, america]: [Arc<dyn Deployer>; 2] = [Arc::new(MemoryDeployer::new()), Arc::new(MemoryDeployer::new())];
/// let deployer = RoutedDeployer::new(BTreeMap::from([
///     ("staging-eu/shop".parse()?, Arc::clone(&europe)),
///     ("production-eu/shop".parse()?, europe),
///     ("production-us/shop".parse()?, america),
/// ]));
/// # let _ = deployer;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RoutedDeployer {
    routes: BTreeMap<Target, Arc<dyn Deployer>>,
}

impl RoutedDeployer {
    /// Builds a deployer of the deployers of these targets.
    #[must_use]
    pub const fn new(routes: BTreeMap<Target, Arc<dyn Deployer>>) -> Self {
        Self { routes }
    }

    fn of(&self, operation: &'static str, target: &Target) -> Result<&dyn Deployer> {
        let found = self.routes.get(target).map(|deployer| &**deployer);
        found
            .ok_or_else(|| Error::new(ErrorKind::NotFound, operation, unknown(target)).with("target", target))
    }
}

fn unknown(target: &Target) -> String {
    format!("no deployer is given for {target}; add it to the routes")
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Deployer for RoutedDeployer {
    /// Returns what the deployer of the target can do; nothing for a target that belongs to none.
    fn capabilities(&self, target: &Target) -> DeployerCapabilities {
        match self.routes.get(target) {
            Some(deployer) => deployer.capabilities(target),
            None => DeployerCapabilities {
                verbs: BTreeSet::new(),
                split: TrafficSplit::Switch,
                fence: Fence::None,
            },
        }
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        self.of("deployer.observe", target)?.observe(target).await
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        self.of("deployer.watch", target)?.watch(target).await
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        self.of("deployer.snapshot", target)?.snapshot(target).await
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        match self.routes.get(target) {
            Some(deployer) => deployer.apply(call, target, verb, precondition).await,
            None => Reply::Rejected(Rejection::Permanent { reason: unknown(target) }),
        }
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        match self.routes.get(target) {
            Some(deployer) => deployer.seal(target, stamp).await,
            None => Seal::Unreachable { cause: unknown(target) },
        }
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        match self.routes.get(target) {
            Some(deployer) => deployer.probe(target, key).await,
            None => Probe::Unreadable { cause: unknown(target) },
        }
    }
}
