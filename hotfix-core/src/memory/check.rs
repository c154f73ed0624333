//! The reference [`Check`]: it finds what a test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::lock;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ArtifactId, Fault, Target};
use crate::port::{Check, CheckReport, CheckScope, CheckSubject};

/// A check of one workload that passes until a test says otherwise. Clones share their state.
#[derive(Debug, Clone)]
pub struct MemoryCheck {
    name: String,
    target: Target,
    scope: CheckScope,
    book: Arc<Mutex<Book>>,
}

#[derive(Debug, Default)]
struct Book {
    faults: BTreeMap<ArtifactId, Vec<Fault>>,
    failures: VecDeque<ErrorKind>,
    asked: Vec<CheckSubject>,
}

impl MemoryCheck {
    /// Builds a check that passes.
    #[must_use]
    pub fn new(name: impl Into<String>, target: Target, scope: CheckScope) -> Self {
        Self { name: name.into(), target, scope, book: Arc::default() }
    }

    /// From here on it finds something wrong with the artifact.
    pub fn find(&self, artifact: &ArtifactId, fault: Fault) {
        lock(&self.book).faults.entry(artifact.clone()).or_default().push(fault);
    }

    /// Makes the next look fail for which no failure is scripted yet.
    pub fn fail(&self, kind: ErrorKind) {
        lock(&self.book).failures.push_back(kind);
    }

    /// Returns what it was asked about so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<CheckSubject> {
        lock(&self.book).asked.clone()
    }
}

#[async_trait]
impl Check for MemoryCheck {
    fn name(&self) -> &str {
        &self.name
    }

    fn scope(&self, target: &Target) -> CheckScope {
        if *target == self.target { self.scope } else { CheckScope::Nothing }
    }

    async fn look(&self, subject: &CheckSubject) -> Result<CheckReport> {
        let mut book = lock(&self.book);
        book.asked.push(subject.clone());
        if let Some(kind) = book.failures.pop_front() {
            return Err(Error::new(kind, "check.look", "scripted to fail"));
        }
        let faults = book.faults.get(&subject.artifact).cloned().unwrap_or_default();
        let seen = if faults.is_empty() { "as it should be" } else { "scripted to be wrong" };
        Ok(CheckReport { faults, seen: seen.to_owned() })
    }
}
