//! Building an engine: five backends and a policy.

use std::sync::Arc;

use hotfix_core::model::WorkerName;
use hotfix_core::policy::Policy;
use hotfix_core::port::{
    Check, Clock, Deployer, IdSource, IncidentStore, MetricsSource, Notifier, Silencer, VersionControl,
};

use crate::backends::Backends;
use crate::lease::Beat;
use crate::{Engine, EngineError, SystemClock, SystemIds};

/// Collects what an engine works with. See [`Engine::builder`].
#[derive(Debug, Default)]
#[must_use]
pub struct EngineBuilder {
    source: Option<Arc<dyn VersionControl>>,
    deployer: Option<Arc<dyn Deployer>>,
    metrics: Option<Arc<dyn MetricsSource>>,
    checks: Vec<Arc<dyn Check>>,
    notifiers: Vec<Arc<dyn Notifier>>,
    silencers: Vec<Arc<dyn Silencer>>,
    store: Option<Arc<dyn IncidentStore>>,
    clock: Option<Arc<dyn Clock>>,
    ids: Option<Arc<dyn IdSource>>,
    policy: Policy,
    worker: Option<WorkerName>,
    follow_ups: FollowUps,
}

/// Whether what follows a run (see [`hotfix_core::follow`]) is begun when the run ends.
///
/// [`Engine::resume_all`] begins in any case what was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FollowUps {
    /// It is, and driven for as long as the process lives.
    #[default]
    Begin,
    /// It is left to whoever calls [`Engine::resume_all`] next: for a program that ends with its run.
    Leave,
}

impl EngineBuilder {
    /// Where the code is.
    pub fn version_control(mut self, source: impl VersionControl + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Where releases run.
    pub fn deployer(mut self, deployer: impl Deployer + 'static) -> Self {
        self.deployer = Some(Arc::new(deployer));
        self
    }

    /// Where traffic is counted.
    pub fn metrics(mut self, metrics: impl MetricsSource + 'static) -> Self {
        self.metrics = Some(Arc::new(metrics));
        self
    }

    /// What looks at a release from outside while it is judged. May be given several times; none at all is fine.
    pub fn check(mut self, check: impl Check + 'static) -> Self {
        self.checks.push(Arc::new(check));
        self
    }

    /// Who is told. May be given several times; none at all is fine.
    pub fn notifier(mut self, notifier: impl Notifier + 'static) -> Self {
        self.notifiers.push(Arc::new(notifier));
        self
    }

    /// Who keeps alerts about production silent while that is changed as planned. May be given several times; none at
    /// all is fine.
    pub fn silencer(mut self, silencer: impl Silencer + 'static) -> Self {
        self.silencers.push(Arc::new(silencer));
        self
    }

    /// Where everything is kept.
    pub fn store(mut self, store: impl IncidentStore + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// What is allowed and how fast; [`Policy::default`] if not given.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What others are told when this process drives a run; made up if not given.
    pub fn worker(mut self, worker: WorkerName) -> Self {
        self.worker = Some(worker);
        self
    }

    /// Whether what follows a run is begun when it ends; [`FollowUps::Begin`] if not given.
    pub fn follow_ups(mut self, follow_ups: FollowUps) -> Self {
        self.follow_ups = follow_ups;
        self
    }

    /// Another clock than the machine's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Another source of ids than time and randomness.
    pub fn ids(mut self, ids: impl IdSource + 'static) -> Self {
        self.ids = Some(Arc::new(ids));
        self
    }

    /// Builds the engine and starts its outbox. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`EngineError::Incomplete`] naming the missing backend; [`EngineError::SameName`] when two checks have one name.
    pub fn build(self) -> Result<Engine, EngineError> {
        let mut names = std::collections::BTreeSet::new();
        if let Some(twice) = self.checks.iter().find(|check| !names.insert(check.name())) {
            return Err(EngineError::SameName { check: twice.name().to_owned() });
        }
        let ids = self.ids.unwrap_or_else(|| Arc::new(SystemIds));
        let worker = match self.worker {
            Some(worker) => worker,
            None => WorkerName::new(ids.fresh("worker"))?,
        };
        let backends = Backends {
            source: self.source.ok_or(EngineError::Incomplete("version control"))?,
            deployer: self.deployer.ok_or(EngineError::Incomplete("deployer"))?,
            metrics: self.metrics.ok_or(EngineError::Incomplete("metrics source"))?,
            checks: self.checks,
            notifiers: self.notifiers,
            silencers: self.silencers,
            store: self.store.ok_or(EngineError::Incomplete("incident store"))?,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            ids,
            beat: Beat::start(),
        };
        Ok(Engine::new(backends, self.policy, worker, self.follow_ups))
    }
}
