//! Where everything lies below the state directory. The README shows the same tree to operators.

use std::path::{Path, PathBuf};

use hotfix_core::model::{ObjectId, Target};

/// The state directory of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root(PathBuf);

impl Root {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Held locked by the one agent that serves this directory.
    pub(crate) fn agent_lock(&self) -> PathBuf {
        self.0.join("agent.lock")
    }

    /// Tells clients where the agent listens.
    pub(crate) fn agent_address(&self) -> PathBuf {
        self.0.join("agent.json")
    }

    pub(crate) fn agent_log(&self) -> PathBuf {
        self.0.join("agent.log")
    }

    pub(crate) fn targets(&self) -> PathBuf {
        self.0.join("targets")
    }

    pub(crate) fn target(&self, target: &Target) -> TargetFolder {
        // Both parts are lower-case labels, so neither can leave the folder.
        TargetFolder(self.targets().join(target.environment.as_str()).join(target.service.as_str()))
    }
}

/// The folder of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetFolder(PathBuf);

impl TargetFolder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What is wanted, the fence and the keys applied: the one file that decides.
    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// One line per accepted mutation, for auditors.
    pub(crate) fn writes(&self) -> PathBuf {
        self.0.join("writes.jsonl")
    }

    pub(crate) fn state_lock(&self) -> PathBuf {
        self.0.join("state.lock")
    }

    pub(crate) fn releases(&self) -> PathBuf {
        self.0.join("releases")
    }

    pub(crate) fn releases_lock(&self) -> PathBuf {
        self.0.join("releases.lock")
    }

    pub(crate) fn release(&self, tree: &ObjectId) -> PathBuf {
        self.releases().join(tree.as_str())
    }

    /// The traffic split in effect and the port in use, written by the agent.
    pub(crate) fn router(&self) -> PathBuf {
        self.0.join("router.json")
    }

    /// One folder per started process, written by the agent.
    pub(crate) fn instances(&self) -> PathBuf {
        self.0.join("instances")
    }
}
