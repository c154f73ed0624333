//! Faults on the way to a check.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::model::Target;
use hotfix_core::port::{Check, CheckReport, CheckScope, CheckSubject};

use super::{Faults, failure, through};

/// A check behind a bad network.
#[derive(Debug, Clone)]
pub struct FaultyCheck {
    inner: Arc<dyn Check>,
    faults: Faults,
}

impl FaultyCheck {
    /// Wraps a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn Check>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Check for FaultyCheck {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn scope(&self, target: &Target) -> CheckScope {
        self.inner.scope(target)
    }

    async fn look(&self, subject: &CheckSubject) -> Result<CheckReport> {
        through!(self, Look, |inner, subject| inner.look(&subject), failure("check.look"))
    }
}
