//! What tells the drivers of a world that others have their targets, and the rights that this takes.

use std::sync::Arc;

use hotfix_core::model::{Fenced, Target};
use hotfix_engine::SystemClock;
use hotfix_k8s::{LeaseConfig, Leases, TargetConfig};
use hotfix_testkit::cluster::TestCluster;
use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::prove::driver::cluster::claim_leases;
use crate::prove::world::Home;
use crate::shop;

/// What tells the drivers of a world that others have their targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claims {
    /// Their store.
    Store,
    /// Leases as well.
    Leases,
}

impl Claims {
    /// The least rights of a driver.
    pub(super) fn rules(
        self,
        cluster: &TestCluster,
        config: TargetConfig,
        target: &Target,
    ) -> Result<Vec<PolicyRule>, String> {
        let leases = match self {
            Self::Store => None,
            Self::Leases => {
                let leases = Leases::connect(LeaseConfig::default(), cluster.config(), Arc::new(SystemClock));
                let claims = [Fenced::Source(target.service.clone()), Fenced::Workload(target.clone())];
                Some(leases.map_err(|error| error.to_string())?.feature(&claims))
            }
        };
        shop::rules_with(&[config], leases).map_err(|error| error.to_string())
    }

    /// Tells the drivers of a world.
    pub(super) fn tell(self, home: &Home) -> Result<(), String> {
        match self {
            Self::Store => Ok(()),
            Self::Leases => claim_leases(&home.folder),
        }
    }
}
