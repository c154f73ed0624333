//! Faults on the way to a silencer.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::port::{Silence, Silencer};

use super::{Faults, failure, through};

/// A silencer behind a bad network.
#[derive(Debug, Clone)]
pub struct FaultySilencer {
    inner: Arc<dyn Silencer>,
    faults: Faults,
}

impl FaultySilencer {
    /// Wraps a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn Silencer>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Silencer for FaultySilencer {
    fn destination(&self) -> &str {
        self.inner.destination()
    }

    async fn silence(&self, silence: &Silence) -> Result<()> {
        through!(self, Silence, |inner, silence| inner.silence(&silence), failure("silencer.silence"))
    }

    async fn lift(&self, silence: &Silence) -> Result<()> {
        through!(self, Lift, |inner, silence| inner.lift(&silence), failure("silencer.lift"))
    }
}
