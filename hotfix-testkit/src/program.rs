//! A program that ends with whoever started it, even when that is killed.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Starts the program, and ends it and removes its folder when standard input ends: that is when the owner drops it,
/// and also when the owner was killed. Signals that a terminal sends to everybody are left to the owner.
const KEEPER: &str = r#"
trap '' HUP INT TERM
folder=$1; shift
"$@" </dev/null >"$folder/log" 2>&1 &
child=$!
read -r _
kill -9 $child
wait $child
rm -rf "$folder"
"#;

/// A running program with a folder of its own.
#[derive(Debug)]
pub(crate) struct Program {
    keeper: Child,
    folder: PathBuf,
}

impl Program {
    /// Starts a program. `arguments` gets the folder, which is empty but for what `prepare` writes.
    pub(crate) fn start(
        program: impl AsRef<OsStr>,
        prepare: impl FnOnce(&Path) -> io::Result<()>,
        arguments: impl FnOnce(&Path) -> Vec<String>,
    ) -> io::Result<Self> {
        let folder = TempDir::new()?;
        prepare(folder.path())?;
        let keeper = command("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(folder.path())
            .arg(program)
            .args(arguments(folder.path()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // From here on the keeper removes it.
        Ok(Self { keeper, folder: folder.keep() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what it wrote to its log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper ends as soon as the killed program is gone.
        let _ended = self.keeper.wait();
    }
}

/// Begins to start a program that ends by itself.
#[expect(clippy::disallowed_methods, reason = "this is the reviewed place of this crate")]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

/// Waits for a condition with a deadline.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> io::Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if Instant::now() > end {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("not within {PATIENCE:?}: {what}")));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
