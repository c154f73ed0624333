//! Where the programs of a control plane come from: a folder somebody names, or the cache of an earlier build.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::build::{MODULES, Module};
use crate::environment;

/// Names a folder with the programs; the convention of `setup-envtest`.
const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// A program of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tool {
    /// The store below the API server.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers of Deployments, ReplicaSets, EndpointSlices and so on.
    ControllerManager,
    /// The scheduler. The test cluster does without, because its node takes pods by itself.
    Scheduler,
    /// The command line.
    Kubectl,
}

impl Tool {
    /// What a cluster cannot start without.
    pub const NEEDED: [Self; 3] = [Self::Etcd, Self::ApiServer, Self::ControllerManager];

    /// Returns the name of the program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubectl => "kubectl",
        }
    }
}

/// Some programs of the control plane are nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingTools {
    /// The programs.
    pub tools: Vec<Tool>,
    /// The folders in which they were looked for.
    pub looked_in: Vec<PathBuf>,
}

impl fmt::Display for MissingTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tools: Vec<&str> = self.tools.iter().map(|tool| tool.name()).collect();
        write!(f, "no {}", tools.join(", "))?;
        for (index, folder) in self.looked_in.iter().enumerate() {
            write!(f, "{} {}", if index == 0 { " in" } else { " or" }, folder.display())?;
        }
        write!(
            f,
            "; set {ASSETS} to a folder that has them, or build them once with `hotfix-test-cluster build` \
             (in a checkout: `cargo run -p hotfix-testkit --features cluster --bin hotfix-test-cluster build`), \
             which needs go 1.21, some minutes and 10 GB for Go's caches"
        )
    }
}

impl std::error::Error for MissingTools {}

impl From<MissingTools> for io::Error {
    fn from(missing: MissingTools) -> Self {
        Self::new(io::ErrorKind::NotFound, missing)
    }
}

/// Returns where a program is.
///
/// # Errors
/// [`MissingTools`] when it is neither in the folder that `KUBEBUILDER_ASSETS` names nor in the cache.
pub fn locate(tool: Tool) -> Result<PathBuf, MissingTools> {
    let built = cache().map(|cache| cache.join(key(&MODULES)));
    let folders: Vec<PathBuf> = environment::place(ASSETS).into_iter().chain(built).collect();
    let found = folders.iter().map(|folder| folder.join(tool.name())).find(|file| file.is_file());
    found.ok_or(MissingTools { tools: vec![tool], looked_in: folders })
}

/// Returns whether everything is there that a cluster needs.
///
/// # Errors
/// [`MissingTools`] names all that are not.
pub fn check() -> Result<(), MissingTools> {
    let missing = Tool::NEEDED.into_iter().filter_map(|tool| locate(tool).err());
    let all = missing.reduce(|mut all, one| {
        all.tools.extend(one.tools);
        all
    });
    all.map_or(Ok(()), Err)
}

/// Returns the folder that keeps what was built, outside of any checkout.
pub(super) fn cache() -> Option<PathBuf> {
    Some(environment::cache()?.join("hotfix").join("kube"))
}

/// Returns the folder in the cache for what the pinned modules give: another pin is another folder.
pub(super) fn key(modules: &[Module]) -> String {
    let mut hash = Sha256::new();
    for module in modules {
        hash.update(module.sums);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Says whether a folder has every program that a build makes.
pub(super) fn is_complete(folder: &Path) -> bool {
    [Tool::Etcd, Tool::ApiServer, Tool::ControllerManager, Tool::Scheduler, Tool::Kubectl]
        .iter()
        .all(|tool| folder.join(tool.name()).is_file())
}
