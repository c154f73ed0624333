//! Runs that deploy to this host.

use std::path::Path;
use std::sync::Arc;

use hotfix_core::port::Clock;
use hotfix_engine::{EngineBuilder, SystemClock};
use hotfix_local::{GitTreeSource, LocalConfig, LocalDeployer, LocalMetrics};

use crate::prove::repository;
use crate::prove::trap::{Trap, Trapped};

/// The state directory of the agent of a world.
pub(in crate::prove) const STATE: &str = "state";

pub(super) fn attach(engine: EngineBuilder, folder: &Path, trap: &Arc<Trap>) -> EngineBuilder {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state = LocalConfig { state: folder.join(STATE) };
    let trees = Arc::new(GitTreeSource::new(folder.join(repository::WORK)));
    let deployer = LocalDeployer::new(state.clone(), trees, Arc::clone(&clock));
    engine
        .deployer(Trapped { inner: deployer, trap: Arc::clone(trap) })
        .metrics(LocalMetrics::new(state, clock))
}
