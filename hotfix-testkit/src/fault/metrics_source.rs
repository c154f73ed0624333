//! Faults on the way to a metrics source.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::port::{History, HistoryQuery, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape};

use super::{Faults, failure, through};

/// A metrics source behind a bad network.
#[derive(Debug, Clone)]
pub struct FaultyMetricsSource {
    inner: Arc<dyn MetricsSource>,
    faults: Faults,
}

impl FaultyMetricsSource {
    /// Wraps a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn MetricsSource>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl MetricsSource for FaultyMetricsSource {
    fn capabilities(&self) -> MetricsCapabilities {
        self.inner.capabilities()
    }

    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape> {
        through!(self, Scrape, |inner, query| inner.scrape(&query), failure("metrics.scrape"))
    }

    async fn history(&self, query: &HistoryQuery) -> Result<History> {
        through!(self, History, |inner, query| inner.history(&query), failure("metrics.history"))
    }
}
