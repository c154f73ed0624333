//! What an engine works with.

use std::sync::Arc;

use hotfix_core::port::{
    Check, Clock, Deployer, IdSource, IncidentStore, MetricsSource, Notifier, VersionControl,
};

/// The ports of one engine.
#[derive(Debug, Clone)]
pub(crate) struct Backends {
    pub(crate) source: Arc<dyn VersionControl>,
    pub(crate) deployer: Arc<dyn Deployer>,
    pub(crate) metrics: Arc<dyn MetricsSource>,
    pub(crate) checks: Vec<Arc<dyn Check>>,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    pub(crate) store: Arc<dyn IncidentStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
}

impl Backends {
    /// Returns the destinations that postings are written for.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &str> {
        self.notifiers.iter().map(|notifier| notifier.destination())
    }
}
