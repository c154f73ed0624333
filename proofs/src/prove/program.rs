//! Starting programs: the one place of this crate that does, and what `/proc` knows of them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::kill::How;

/// Keeps git away from the configuration of the machine, and gives it a name and a time.
const SEALED: [(&str, &str); 8] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_AUTHOR_NAME", "Ada Author"),
    ("GIT_AUTHOR_EMAIL", "ada@example.test"),
    ("GIT_AUTHOR_DATE", "1700000000 +0000"),
    ("GIT_COMMITTER_NAME", "Ada Author"),
    ("GIT_COMMITTER_EMAIL", "ada@example.test"),
    ("GIT_COMMITTER_DATE", "1700000000 +0000"),
];

/// Prepares a program.
pub(super) fn command(program: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the reviewed place")]
    let mut command = Command::new(program);
    command.envs(SEALED).stdin(Stdio::null());
    command
}

/// Runs git in a repository and returns what it printed, or what it complained of.
pub(super) fn git(repository: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = command(Path::new("git"));
    let output = command.current_dir(repository).args(arguments).output();
    let output = output.map_err(|error| format!("git cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    Err(format!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim_end()))
}

/// A program that is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Running(pub(super) Child);

impl Running {
    /// Kills or freezes it.
    pub(super) fn stop(&self, how: How) -> Result<(), String> {
        self.signal(how.signal())
    }

    /// Continues a frozen program.
    pub(super) fn thaw(&self) -> Result<(), String> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).ok_or("no pid")?;
        kill_process(pid, signal).map_err(|error| format!("cannot signal {}: {error}", self.0.id()))
    }

    /// Tells whether it is frozen.
    pub(super) fn is_frozen(&self) -> bool {
        state_of(self.0.id()) == Some('T')
    }

    /// Tells whether it has ended, and how.
    pub(super) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.0.try_wait().ok().flatten()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that belongs to a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) words: Vec<String>,
    pub(super) home: PathBuf,
}

impl Process {
    pub(super) fn kill(&self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Returns every live process that works in the folder or names it in its arguments.
pub(super) fn processes_of(folder: &Path) -> Vec<Process> {
    let named = folder.display().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(std::io::Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let alive = |pid: &i32| *pid != own && !matches!(state_of(pid.cast_unsigned()), None | Some('Z' | 'X'));
    let process = |pid: i32| {
        let home = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = words.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        Process { pid, words: words.filter(|word| !word.is_empty()).collect(), home }
    };
    let belongs = |process: &Process| {
        process.home.starts_with(folder) || process.words.iter().any(|word| word.contains(&named))
    };
    pids.filter(alive).map(process).filter(belongs).collect()
}

/// The letter that the system gives the state of a process.
fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}
