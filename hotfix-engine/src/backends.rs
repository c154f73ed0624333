//! What an engine works with.

use std::sync::Arc;

use hotfix_core::model::Period;
use hotfix_core::port::{
    Check, Clock, Deployer, IdSource, IncidentStore, MetricsSource, Notifier, Posting, Silencer,
    VersionControl,
};

use crate::courier::Courier;
use crate::lease::Beat;

/// The ports of one engine.
#[derive(Debug, Clone)]
pub(crate) struct Backends {
    pub(crate) source: Arc<dyn VersionControl>,
    pub(crate) deployer: Arc<dyn Deployer>,
    pub(crate) metrics: Arc<dyn MetricsSource>,
    pub(crate) checks: Vec<Arc<dyn Check>>,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    pub(crate) silencers: Vec<Arc<dyn Silencer>>,
    pub(crate) store: Arc<dyn IncidentStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) beat: Beat,
}

impl Backends {
    /// Addresses postings: each to everybody who is told, or to everybody who silences alerts.
    pub(crate) fn addressed(&self, postings: &[Posting]) -> Vec<(String, Posting)> {
        let to = |posting: &Posting| -> Vec<_> {
            let named = |name: &str| (name.to_owned(), posting.clone());
            match posting.silencing {
                None => self.notifiers.iter().map(|notifier| named(notifier.destination())).collect(),
                Some(_) => self.silencers.iter().map(|silencer| named(silencer.destination())).collect(),
            }
        };
        postings.iter().flat_map(to).collect()
    }

    /// Returns how long to wait between two looks at the metrics: never less than it takes the source to have new values, or
    /// a side whose instances were not read anew since would be taken for one that does not answer.
    pub(crate) fn between_looks(&self, wanted: Period) -> Period {
        wanted.max(self.metrics.capabilities().interval)
    }

    /// Returns who delivers, one for each destination.
    pub(crate) fn couriers(&self) -> Vec<Courier> {
        let people = self.notifiers.iter().map(|notifier| Courier::Notifier(Arc::clone(notifier)));
        let silencer = |silencer| Courier::Silencer(Arc::clone(silencer), Arc::clone(&self.clock));
        people.chain(self.silencers.iter().map(silencer)).collect()
    }
}
