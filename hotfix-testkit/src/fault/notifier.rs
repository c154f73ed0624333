//! Faults on the way to a destination.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::port::{DeliveryOutcome, Notifier, NotifierCapabilities, Posting, PostingProbe};

use super::{Faults, Unheard, WAIT, failure, text, through};

/// A destination behind a bad network.
#[derive(Debug, Clone)]
pub struct FaultyNotifier {
    inner: Arc<dyn Notifier>,
    faults: Faults,
}

impl FaultyNotifier {
    /// Wraps a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn Notifier>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Notifier for FaultyNotifier {
    fn capabilities(&self) -> NotifierCapabilities {
        self.inner.capabilities()
    }

    fn destination(&self) -> &str {
        self.inner.destination()
    }

    async fn deliver(&self, posting: &Posting) -> DeliveryOutcome {
        through!(self, Deliver, |inner, posting| inner.deliver(&posting), outcome)
    }

    async fn find(&self, posting: &Posting) -> Result<PostingProbe> {
        through!(self, Find, |inner, posting| inner.find(&posting), failure("notifier.find"))
    }
}

fn outcome(unheard: Unheard) -> DeliveryOutcome {
    match unheard {
        Unheard::Silence => DeliveryOutcome::Ambiguous { cause: text(unheard).to_owned() },
        Unheard::Busy => DeliveryOutcome::Throttled { wait: Some(WAIT) },
    }
}
