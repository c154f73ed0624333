//! One process of this crate at a time writes references, and takes away the locks that a killed one left behind.
//!
//! The operating system frees the lock on the turn file when its process dies. So whoever has the turn knows that a
//! lock of git which looks like one of ours is held by nobody.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use git2::Oid;

use crate::error::Error;
use crate::repo::Repo;

const TURN_FILE: &str = "hotfix.lock";
const OURS: &str = "refs/hotfix/";

/// How long to wait for the turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// A git process holds the lock of a reference for far less than this.
const SURELY_LEFT_BEHIND: Duration = Duration::from_secs(5);

/// The right to write references, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'r> {
    repo: &'r Repo,
    file: File,
    path: PathBuf,
}

impl<'r> Turn<'r> {
    /// Waits for the turn, which takes others a few milliseconds.
    pub(crate) fn take(repo: &'r Repo) -> Result<Self, Error> {
        let path = repo.common_dir().join(TURN_FILE);
        let failed = |operation| {
            let path = path.clone();
            move |source| Error::Io { operation, path, source }
        };
        let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open().map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => return Ok(Self { repo, file, path }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        // A stopped process may hold it for ever. Then the thread stays behind, and gives the turn back when it gets it.
        let (send, turns) = mpsc::channel();
        thread::spawn(move || drop(send.send(file.lock().map(|()| file))));
        match turns.recv_timeout(PATIENCE) {
            Ok(Ok(file)) => Ok(Self { repo, file, path }),
            Ok(Err(source)) => Err(failed("lock")(source)),
            Err(_) => Err(Error::Busy { path }),
        }
    }

    pub(crate) fn repo(&self) -> &'r Repo {
        self.repo
    }

    /// Removes the lock file of a reference if a killed process of ours left it behind: it holds nothing, or the value
    /// that was to be written, and is old. Returns whether it did.
    pub(crate) fn break_lock(&self, name: &str, new: Option<Oid>) -> Result<bool, Error> {
        let lock = lock_file(self.repo, name);
        let Ok(content) = std::fs::read_to_string(&lock) else { return Ok(false) };
        let ours = content.is_empty() || new.is_some_and(|new| content.trim() == new.to_string());
        let left_behind = name.starts_with(OURS) || (ours && self.is_old(&lock)?);
        if !left_behind {
            return Ok(false);
        }
        tracing::warn!(lock = %lock.display(), "removing a lock that a killed process left behind");
        let removed = std::fs::remove_file(&lock);
        removed.map(|()| true).map_err(|source| Error::Io { operation: "remove", path: lock, source })
    }

    /// Compares the file with the turn file, which is written now: both times are the file system's.
    fn is_old(&self, lock: &Path) -> Result<bool, Error> {
        let mut turn = &self.file;
        let failed = |source| Error::Io { operation: "write", path: self.path.clone(), source };
        turn.set_len(0).and_then(|()| turn.write_all(b"hotfix\n")).map_err(failed)?;
        let now = turn.metadata().and_then(modified).map_err(failed)?;
        let then = std::fs::metadata(lock).and_then(modified);
        Ok(then.is_ok_and(|then| now.duration_since(then).is_ok_and(|age| age >= SURELY_LEFT_BEHIND)))
    }
}

fn modified(metadata: Metadata) -> std::io::Result<std::time::SystemTime> {
    metadata.modified()
}

/// Returns where git keeps the lock of a reference.
pub(crate) fn lock_file(repo: &Repo, name: &str) -> PathBuf {
    repo.common_dir().join(format!("{name}.lock"))
}
