//! Releases on disk: a tree is exported into a temporary folder and renamed into place, so that it is complete or absent.

mod git_tree;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hotfix_core::model::ObjectId;

pub use git_tree::GitTreeSource;

use crate::durable;
use crate::error::LocalError;
use crate::manifest::Manifest;

/// Where the files of a release come from.
pub trait ReleaseSource: fmt::Debug + Send + Sync {
    /// Writes every file of the tree `tree` into the empty folder `into`, and returns only when they are verified.
    ///
    /// The call may block; it is made away from the runtime's own threads. A folder left half written is thrown away.
    ///
    /// # Errors
    /// [`ExportError`] when the tree is unknown, unreadable, or holds something that would leave the folder.
    fn export(&self, tree: &ObjectId, into: &Path) -> Result<(), ExportError>;

    /// Compares the files in `folder` with the tree `tree`; files the service itself left there beside them are fine.
    ///
    /// # Errors
    /// [`ExportError::Altered`] naming the first file that differs or is missing.
    fn verify(&self, tree: &ObjectId, folder: &Path) -> Result<(), ExportError>;
}

/// Why a release could not be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The tree is not there, or is no tree.
    #[error("cannot read tree {tree}: {reason}")]
    Tree {
        /// The tree's id as given.
        tree: ObjectId,
        /// What the source said.
        reason: String,
    },
    /// An entry would leave the release's folder or cannot be a file.
    #[error(
        "tree {tree} holds {path}, which is {reason}; releases are plain files, folders and symlinks inside the tree"
    )]
    Unsafe {
        /// The tree.
        tree: ObjectId,
        /// The entry.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An exported file is not what the tree says.
    #[error("exported release {tree} was altered: {path} {reason}")]
    Altered {
        /// The tree.
        tree: ObjectId,
        /// The entry.
        path: String,
        /// How it differs.
        reason: &'static str,
    },
    /// A file could not be written or read.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl ExportError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// The folder that holds the exported releases of one target.
#[derive(Debug, Clone)]
pub(crate) struct Releases {
    folder: PathBuf,
}

impl Releases {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn path(&self, release: &ObjectId) -> PathBuf {
        self.folder.join(release.as_str())
    }

    /// Makes sure that `release` is there, complete and unaltered, with a usable manifest. The caller holds the target's lock.
    ///
    /// An altered release is set aside and exported anew: a rollback must not fail because somebody edited a file.
    pub(crate) fn ensure(
        &self,
        source: &dyn ReleaseSource,
        release: &ObjectId,
    ) -> Result<Manifest, LocalError> {
        let path = self.path(release);
        if path.is_dir() {
            match source.verify(release, &path) {
                Ok(()) => return Ok(Manifest::read(&path)?),
                Err(ExportError::Altered { .. }) => self.set_aside(release, &path)?,
                Err(error) => return Err(error.into()),
            }
        }
        self.export(source, release, &path)?;
        Ok(Manifest::read(&path)?)
    }

    /// Instances that run from the folder keep it under its new name.
    fn set_aside(&self, release: &ObjectId, path: &Path) -> Result<(), LocalError> {
        let aside = self.folder.join(format!("{ALTERED_PREFIX}{release}"));
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(LocalError::io("remove", &aside))?;
        }
        fs::rename(path, &aside).map_err(LocalError::io("set aside", path))
    }

    fn export(&self, source: &dyn ReleaseSource, release: &ObjectId, path: &Path) -> Result<(), LocalError> {
        fs::create_dir_all(&self.folder).map_err(LocalError::io("create", &self.folder))?;
        self.sweep()?;
        let staging = self.folder.join(format!("{STAGING_PREFIX}{release}"));
        fs::create_dir(&staging).map_err(LocalError::io("create", &staging))?;
        let exported = source.export(release, &staging);
        if let Err(error) = exported {
            // The export's own error matters more than a folder that the next export sweeps away.
            let _ = fs::remove_dir_all(&staging);
            return Err(error.into());
        }
        sync_file_system(&staging).map_err(LocalError::io("sync", &staging))?;
        fs::rename(&staging, path).map_err(LocalError::io("rename into place", path))?;
        durable::sync_folder(&self.folder).map_err(LocalError::io("sync", &self.folder))
    }

    /// Removes what a killed export left.
    fn sweep(&self) -> Result<(), LocalError> {
        let entries = fs::read_dir(&self.folder).map_err(LocalError::io("list", &self.folder))?;
        for entry in entries {
            let entry = entry.map_err(LocalError::io("list", &self.folder))?;
            if entry.file_name().to_string_lossy().starts_with(STAGING_PREFIX) {
                fs::remove_dir_all(entry.path()).map_err(LocalError::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }
}

/// Both begin with a dot, which no release's name does.
const ALTERED_PREFIX: &str = ".altered-";
const STAGING_PREFIX: &str = ".exporting-";

/// One call for the whole export instead of one fsync a file.
fn sync_file_system(folder: &Path) -> io::Result<()> {
    rustix::fs::syncfs(fs::File::open(folder)?)?;
    Ok(())
}
