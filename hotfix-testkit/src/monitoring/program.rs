//! A program that ends with whoever started it, even when that is killed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Starts the program, and ends it and removes its folder when standard input ends: that is when the owner drops it,
/// and also when the owner was killed.
const KEEPER: &str = r#"
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
pub(super) struct Program {
    keeper: Child,
    folder: PathBuf,
}

impl Program {
    /// Starts the first of the programs that there is. `arguments` gets the folder, which is empty but for what
    /// `prepare` writes.
    pub(super) fn start(
        names: &[&str],
        prepare: impl FnOnce(&Path) -> io::Result<()>,
        arguments: impl FnOnce(&Path) -> Vec<String>,
    ) -> io::Result<Self> {
        let name = find(names)?;
        let folder = TempDir::new()?;
        prepare(folder.path())?;
        #[expect(clippy::disallowed_methods, reason = "this is the reviewed place of this crate")]
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(folder.path())
            .arg(name)
            .args(arguments(folder.path()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // From here on the keeper removes it.
        Ok(Self { keeper, folder: folder.keep() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what it wrote to its log so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Waits until it says in its log which address it listens on.
    pub(super) async fn address(&self) -> io::Result<std::net::SocketAddr> {
        eventually("the program listens", async || {
            let log = self.log();
            let (_, behind) = log
                .split_once("msg=\"Listening on\" address=")
                .or_else(|| log.split_once("Listening on\" address="))?;
            behind.split_whitespace().next()?.parse().ok()
        })
        .await
        .map_err(|error| io::Error::other(format!("{error}; its log: {}", self.log())))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper ends as soon as the killed program is gone.
        let _ended = self.keeper.wait();
    }
}

/// Waits for a condition with a deadline.
pub(super) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> io::Result<T> {
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

#[expect(clippy::disallowed_methods, reason = "PATH says where programs are")]
fn find<'a>(names: &[&'a str]) -> io::Result<&'a str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |name: &&&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let missing = || {
        let mend = "`cargo xtask test` installs it";
        io::Error::new(io::ErrorKind::NotFound, format!("no program {} in PATH: {mend}", names.join(" or ")))
    };
    names.iter().find(there).copied().ok_or_else(missing)
}
