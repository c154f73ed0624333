//! The counters of a target, gathered where readers find them without asking the task that owns them.

use std::sync::{Arc, PoisonError, RwLock};

use hotfix_core::model::{SlotName, Version};

use super::report::SeriesReport;
use crate::proxy::{Counters, CountersView, Upstream};

/// The counters of one process, or of the requests that none could take.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) slot: SlotName,
    pub(crate) version: Version,
    pub(crate) name: String,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Served(Arc<Upstream>),
    Unserved(Arc<Counters>),
}

/// All series of a target, replaced as a whole.
#[derive(Debug, Default)]
pub(crate) struct SeriesList(RwLock<Arc<Vec<Series>>>);

impl Series {
    pub(crate) fn served(slot: &SlotName, version: &Version, upstream: Arc<Upstream>) -> Self {
        let name = upstream.token.clone();
        Self { slot: slot.clone(), version: version.clone(), name, source: Source::Served(upstream) }
    }

    /// `unit` tells this series from those of releases that were in the slot before.
    pub(crate) fn unserved(slot: &SlotName, version: &Version, unit: u64, counters: Arc<Counters>) -> Self {
        let name = format!("{slot}-unserved-{unit}");
        Self { slot: slot.clone(), version: version.clone(), name, source: Source::Unserved(counters) }
    }

    pub(crate) fn view(&self) -> CountersView {
        match &self.source {
            Source::Served(upstream) => upstream.counters.view(),
            Source::Unserved(counters) => counters.view(),
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        match &self.source {
            Source::Served(upstream) => upstream.in_flight(),
            Source::Unserved(_) => 0,
        }
    }

    pub(crate) fn report(&self) -> SeriesReport {
        SeriesReport {
            slot: self.slot.clone(),
            series: self.name.clone(),
            in_flight: self.in_flight(),
            counters: self.view(),
        }
    }
}

impl SeriesList {
    pub(crate) fn replace(&self, series: Vec<Series>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(series);
    }

    pub(crate) fn all(&self) -> Arc<Vec<Series>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
