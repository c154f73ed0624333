//! What a backend needs to know: where the repository is, and which remote counts.

use std::path::PathBuf;

use hotfix_core::model::Period;
use serde::Deserialize;

/// The configuration of a [`GitVersionControl`](crate::GitVersionControl).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GitConfig {
    /// The repository: bare, with a work tree, or a linked work tree.
    pub path: PathBuf,
    /// The remote whose references count and to which they are pushed. `None`: the repository itself is all there is.
    pub remote: Option<String>,
    /// The git program for fetching, pushing and rare merges.
    pub program: PathBuf,
    /// The longest time that one run of the git program may take.
    pub timeout: Period,
}

impl Default for GitConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("."),
            remote: None,
            program: PathBuf::from("git"),
            timeout: Period::from_secs(60),
        }
    }
}
