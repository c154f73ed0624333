//! Opening a repository, and the object database in front of which new objects are kept in memory.
//!
//! libgit2's `Repository` may move between threads but not be shared by them, so a [`Repo`] is opened for one
//! operation on one thread and dropped after it; opening costs a fraction of a millisecond.

use std::cell::RefCell;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use git2::{ErrorClass, ErrorCode, ObjectType, Odb, OdbLookupFlags, Oid, Repository};

use crate::error::{Error, History, UnsupportedFeature};
use crate::program::GitProgram;

/// Libgit2 asks the backend with the highest number first; its own have 1 and 2.
const MEMORY_FIRST: i32 = 1000;

/// From this many objects on, one pack is cheaper than a file for each, and leaves the repository tidier.
const WORTH_A_PACK: usize = 20;

/// A repository opened for one operation. Objects made through it live in memory until [`Repo::keep`].
pub struct Repo {
    inner: Repository,
    program: GitProgram,
    drafts: RefCell<Vec<Oid>>,
}

impl Repo {
    /// Opens the repository at `path`: bare, with a work tree, or a linked work tree. Its parents are not searched.
    ///
    /// # Errors
    /// [`Error::NoRepository`], [`Error::ForeignOwner`], and [`Error::Unsupported`] for what libgit2 cannot work
    /// with: reftable, SHA-256 and partial clones.
    pub fn open(path: &Path) -> Result<Self, Error> {
        refuse_unsupported(path)?;
        let inner = Repository::open(path).map_err(|source| open_error(path, source))?;
        inner
            .odb()
            .and_then(|odb| odb.add_new_mempack_backend(MEMORY_FIRST).map(|_| ()))
            .map_err(Error::library("open the object database"))?;
        Ok(Self { inner, program: GitProgram::default(), drafts: RefCell::default() })
    }

    /// Uses this git program where libgit2 is not enough, instead of the `git` in `PATH`.
    #[must_use]
    pub fn with_program(mut self, program: GitProgram) -> Self {
        self.program = program;
        self
    }

    /// Returns the folder that all work trees of the repository share: `.git`, or the bare repository itself.
    #[must_use]
    pub fn common_dir(&self) -> &Path {
        self.inner.commondir()
    }

    /// Returns whether the repository holds all of its history.
    #[must_use]
    pub fn history(&self) -> History {
        if self.inner.is_shallow() { History::Shallow } else { History::Complete }
    }

    /// Writes every object made so far into the repository, and returns how many were new.
    ///
    /// Many objects become one pack, which appears as a whole or not at all; a few are written one by one. No reference
    /// points to them yet; git's own garbage collection takes them away after two weeks if none ever does.
    ///
    /// # Errors
    /// [`Error::Library`] when they cannot be written (a full disk, a read-only repository).
    pub fn keep(&self) -> Result<usize, Error> {
        if self.drafts.borrow().is_empty() {
            return Ok(0);
        }
        let failed = "write the new objects";
        let on_disk = Repository::open(self.inner.path()).map_err(Error::library(failed))?;
        let on_disk = on_disk.odb().map_err(Error::library(failed))?;
        let fresh = self.unkept(&on_disk);
        if fresh.len() < WORTH_A_PACK {
            let memory = self.inner.odb().map_err(Error::library(failed))?;
            for id in &fresh {
                let object = memory.read(*id).map_err(Error::library(failed))?;
                on_disk.write(object.kind(), object.data()).map_err(Error::library(failed))?;
            }
        } else {
            self.pack(&fresh, &on_disk).map_err(Error::library(failed))?;
        }
        self.drafts.borrow_mut().clear();
        Ok(fresh.len())
    }

    /// Lists the objects made through this value that the repository on disk does not hold yet.
    fn unkept(&self, on_disk: &Odb<'_>) -> Vec<Oid> {
        let mut fresh = self.drafts.borrow().clone();
        fresh.sort_unstable();
        fresh.dedup();
        fresh.retain(|id| !on_disk.exists_ext(*id, OdbLookupFlags::NO_REFRESH));
        fresh
    }

    /// `Mempack::dump` would pack the whole tree of every new commit, so the pack is built from the list.
    fn pack(&self, objects: &[Oid], on_disk: &Odb<'_>) -> Result<(), git2::Error> {
        let mut pack = self.inner.packbuilder()?;
        for id in objects {
            pack.insert_object(*id, None)?;
        }
        let mut writer = on_disk.packwriter()?;
        pack.foreach(|bytes| writer.write_all(bytes).is_ok())?;
        writer.commit()?;
        Ok(())
    }

    pub(crate) fn write(&self, kind: ObjectType, content: &[u8]) -> Result<Oid, Error> {
        let odb = self.inner.odb().map_err(Error::library("open the object database"))?;
        let id = odb.write(kind, content).map_err(Error::library("make an object"))?;
        Ok(self.drafted(id))
    }

    /// Notes an object that libgit2 wrote, so that [`Repo::keep`] finds it.
    pub(crate) fn drafted(&self, id: Oid) -> Oid {
        self.drafts.borrow_mut().push(id);
        id
    }

    pub(crate) fn program(&self) -> &GitProgram {
        &self.program
    }

    pub(crate) fn git(&self) -> &Repository {
        &self.inner
    }
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repo").field("path", &self.inner.path()).finish_non_exhaustive()
    }
}

fn open_error(path: &Path, source: git2::Error) -> Error {
    let path = path.to_path_buf();
    match (source.code(), source.class()) {
        (ErrorCode::NotFound, _) => Error::NoRepository { path },
        (ErrorCode::Owner, _) => Error::ForeignOwner { path },
        (_, ErrorClass::Repository) if source.message().contains("partialclone") => {
            Error::Unsupported { path, feature: UnsupportedFeature::PartialClone }
        }
        _ => Error::Library { operation: "open the repository", source },
    }
}

/// Reads the configuration before libgit2 does, because its own refusals differ only in their English text.
fn refuse_unsupported(path: &Path) -> Result<(), Error> {
    let Some(file) = config_file(path) else {
        return Ok(());
    };
    let Ok(config) = git2::Config::open(&file) else {
        return Ok(());
    };
    let value = |key: &str| config.get_string(key).unwrap_or_default().to_lowercase();
    let feature = if value("extensions.refstorage") == "reftable" {
        UnsupportedFeature::Reftable
    } else if value("extensions.objectformat") == "sha256" {
        UnsupportedFeature::Sha256
    } else if !value("extensions.partialclone").is_empty() || has_promisor(&config) {
        UnsupportedFeature::PartialClone
    } else {
        return Ok(());
    };
    Err(Error::Unsupported { path: path.to_path_buf(), feature })
}

fn has_promisor(config: &git2::Config) -> bool {
    let mut found = false;
    if let Ok(entries) = config.entries(Some(r"^remote\..*\.promisor$")) {
        let _ = entries.for_each(|entry| found |= entry.value().is_ok_and(|value| value == "true"));
    }
    found
}

/// Finds the configuration file that all work trees share, without opening the repository.
fn config_file(path: &Path) -> Option<PathBuf> {
    let dot_git = path.join(".git");
    let git_dir = if dot_git.is_file() {
        let link = std::fs::read_to_string(&dot_git).ok()?;
        path.join(link.strip_prefix("gitdir:")?.trim())
    } else if dot_git.is_dir() {
        dot_git
    } else {
        path.to_path_buf()
    };
    let common = std::fs::read_to_string(git_dir.join("commondir"))
        .map_or_else(|_| git_dir.clone(), |common| git_dir.join(common.trim()));
    Some(common.join("config")).filter(|file| file.is_file())
}
