//! Starting programs: the one place of the benchmarks and the comparisons that does.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// A program to be started.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the reviewed place")]
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    command
}

/// A git in a repository, out of reach of the user's settings.
pub fn git(name: impl AsRef<OsStr>, repository: &Path) -> Command {
    let mut command = program(name);
    command.arg("-C").arg(repository);
    command.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "advice.detachedHead=false"]);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "bench")
            .env(format!("GIT_{role}_EMAIL"), "bench@example.com");
        command.env(format!("GIT_{role}_DATE"), "1700000000 +0000");
    }
    command
}

/// Runs a program to its end and returns what it printed, without the last newline.
///
/// # Errors
/// [`Failure`] when it cannot be started or does not succeed, with its words.
pub fn run(command: &mut Command) -> Result<String, Failure> {
    let line = format!("{command:?}");
    let output =
        command.output().map_err(|error| Failure::new(format!("{line} cannot be started: {error}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("{line}: {}: {}", output.status, words.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
