//! Exclusive locks on files: the kernel lets them go when their holder dies, however it dies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Somebody else holds it: what is known of the holder.
    Held(String),
    /// The lock file cannot be used.
    Io(io::Error),
}

/// How long to wait between two tries; a holder needs a few milliseconds.
const RETRY: Duration = Duration::from_millis(5);

impl Lock {
    /// Takes the lock at once or says who holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Self, LockError> {
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open.map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(path))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        // Only for the message to whoever finds it locked, so a failure to write it is no reason to stop.
        let _ = file.set_len(0).and_then(|()| write!(file, "process {}", std::process::id()));
        Ok(Self { _file: file })
    }

    /// Takes the lock, waiting until `deadline` for its holder.
    pub(crate) async fn take(path: &Path, deadline: Instant) -> Result<Self, LockError> {
        loop {
            match Self::try_take(path) {
                Err(LockError::Held(_)) if Instant::now() < deadline => sleep(RETRY).await,
                taken_or_failed => return taken_or_failed,
            }
        }
    }
}

fn holder(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(text) if !text.is_empty() => text,
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_taker_waits_and_learns_who_holds_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("lock");
        let first = Lock::try_take(&path).expect("free");
        let deadline = Instant::now() + Duration::from_secs(1);
        let refused = Lock::take(&path, deadline).await.expect_err("held until the deadline");
        assert!(matches!(refused, LockError::Held(who) if who == format!("process {}", std::process::id())));
        assert!(Instant::now() >= deadline);
        drop(first);
        Lock::take(&path, Instant::now()).await.expect("free again");
    }
}
