//! What can go wrong on this host, each with the value at fault and the mend.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hotfix_core::model::Target;
use hotfix_core::{Error, ErrorKind};

use crate::manifest::ManifestError;
use crate::release::ExportError;

/// A failure of the local deployer, its agent or its proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// A file or folder of the state directory could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A state file does not hold what this version writes.
    #[error("{} is not readable by this version: {reason}; restore it from a backup or remove the target's folder", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing was ever deployed to this target.
    #[error("target {target} does not exist under {}; create it first", root.display())]
    NoTarget {
        /// The target.
        target: Target,
        /// The state directory.
        root: PathBuf,
    },
    /// Another writer held the target's lock until the deadline.
    #[error("target {target} is locked by {holder}; try again when it is done")]
    Locked {
        /// The target.
        target: Target,
        /// The process that holds the lock, as far as it is known.
        holder: String,
    },
    /// No agent serves this state directory.
    #[error("no agent serves {}; start one with `hotfix-agent {}`", root.display(), root.display())]
    AgentDown {
        /// The state directory.
        root: PathBuf,
    },
    /// An agent already serves this state directory.
    #[error("an agent already serves {}; stop it first or use another state directory", root.display())]
    AgentRunning {
        /// The state directory.
        root: PathBuf,
    },
    /// The agent did not answer as expected.
    #[error("the agent at {address} failed to {request}: {reason}")]
    Agent {
        /// The agent's address.
        address: SocketAddr,
        /// What it was asked.
        request: String,
        /// What happened instead.
        reason: String,
    },
    /// A listening port is taken by another program.
    #[error("port in use: {address} ({purpose}); free it or configure another one")]
    PortInUse {
        /// The address that could not be bound.
        address: SocketAddr,
        /// What it was for.
        purpose: &'static str,
    },
    /// The release cannot be exported from its source.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The release's manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The host does not offer what is needed.
    #[error("this host is not supported: {reason}")]
    Unsupported {
        /// What is missing.
        reason: String,
    },
}

impl LocalError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

impl LocalError {
    /// The same as an error of a port.
    pub(crate) fn into_port(self, operation: &'static str) -> Error {
        let kind = match &self {
            Self::NoTarget { .. } => ErrorKind::NotFound,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Manifest(_) => ErrorKind::Invalid,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Locked { .. } | Self::AgentDown { .. } | Self::Agent { .. } | Self::PortInUse { .. } => {
                ErrorKind::Unavailable
            }
            Self::AgentRunning { .. } => ErrorKind::AlreadyExists,
            Self::Io { source, .. } | Self::Export(ExportError::Io { source, .. }) => kind_of(source),
            Self::Export(ExportError::Tree { .. }) => ErrorKind::NotFound,
            Self::Export(_) => ErrorKind::Invalid,
        };
        Error::new(kind, operation, self.to_string()).with_source(self)
    }

    /// Whether the same call may succeed once the host is in order again.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::AgentDown { .. } | Self::Agent { .. } | Self::PortInUse { .. } => {
                true
            }
            Self::Io { source, .. } | Self::Export(ExportError::Io { source, .. }) => {
                source.kind() != io::ErrorKind::NotFound
            }
            _ => false,
        }
    }

    /// The error with its causes, on one line.
    pub(crate) fn with_causes(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::PermissionDenied => ErrorKind::Forbidden,
        _ => ErrorKind::Unexpected,
    }
}
