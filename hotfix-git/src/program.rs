//! Running the system's git program: the one place that starts a process.
//!
//! The child gets no terminal, no hooks, no user prompts and English messages; it and everything it starts is ended
//! when its time is up or when the [`StopToken`] says so.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::error::Error;

/// How long a child may take to clean up after SIGTERM, and its pipes to run dry after its end.
const GRACE: Duration = Duration::from_secs(2);

/// Variables that would point git at another repository or change what a command does.
const CLEARED: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_PUSH_OPTION_COUNT",
    "GIT_TRACE",
    "GIT_QUARANTINE_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_EXTERNAL_DIFF",
    "GIT_ATTR_SOURCE",
];

/// Settings that keep the child from doing more than it is asked.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "push.followTags=false",
    "push.recurseSubmodules=no",
    "fetch.recurseSubmodules=no",
    "fetch.prune=false",
    "color.ui=false",
    "core.quotePath=false",
];

/// The git program and the environment it is run in.
#[derive(Clone, Debug)]
pub struct GitProgram {
    /// The program, looked up in `PATH` when it is a bare name.
    pub path: PathBuf,
    /// Variables set for the program beside those it inherits, such as `GIT_SSH_COMMAND`. Never printed.
    pub env: Vec<(OsString, OsString)>,
}

impl Default for GitProgram {
    fn default() -> Self {
        Self { path: PathBuf::from("git"), env: Vec::new() }
    }
}

/// Ends running git programs from another thread. Clones share their state.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopToken {
    state: Arc<Mutex<StopState>>,
}

#[derive(Debug, Default)]
struct StopState {
    stopped: bool,
    running: Option<Pid>,
}

impl StopToken {
    /// Ends the program that runs under this token, and keeps others from starting.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.stopped = true;
        if let Some(group) = state.running {
            let _ = kill_process_group(group, Signal::TERM);
        }
    }

    /// Notes the running process group. False when the token was stopped before.
    fn enter(&self, group: Pid) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = Some(group);
        !state.stopped
    }

    /// Forgets the process group, which must happen before it is reaped and its number used again.
    fn leave(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = None;
        state.stopped
    }
}

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    /// The git command, for messages.
    pub(crate) command: &'static str,
    /// What follows the settings on the command line.
    pub(crate) args: Vec<OsString>,
    /// The repository's folder (`.git`, or the bare repository).
    pub(crate) git_dir: &'a Path,
    /// Where the program runs: relative URLs of remotes count from here.
    pub(crate) current_dir: &'a Path,
    pub(crate) limit: Duration,
    pub(crate) stop: &'a StopToken,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl GitProgram {
    /// Runs the program to its end.
    ///
    /// [`Error::Timeout`] and [`Error::Stopped`] mean that it was started and killed: what it did is unknown.
    pub(crate) fn run(&self, call: &Invocation<'_>) -> Result<Finished, Error> {
        let mut child = self
            .command(call)
            .spawn()
            .map_err(|source| Error::NoProgram { program: self.path.clone(), source })?;
        let group = Pid::from_child(&child);
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        if !call.stop.enter(group) {
            let _ = kill_process_group(group, Signal::TERM);
        }
        let in_time = await_exit(group, call.limit);
        let stopped = call.stop.leave();
        let status =
            child.wait().map_err(|source| Error::NoProgram { program: self.path.clone(), source })?;
        let stdout = stdout.take();
        let stderr = String::from_utf8_lossy(&stderr.take()).into_owned();
        match (in_time, status.code()) {
            (Ended::Killed, _) => Err(Error::Timeout { command: call.command, limit: call.limit }),
            (Ended::InTime, None) if stopped => Err(Error::Stopped { command: call.command }),
            _ => Ok(Finished { status, stdout, stderr }),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place of this crate that starts a program")]
    fn command(&self, call: &Invocation<'_>) -> Command {
        let mut command = Command::new(&self.path);
        for name in CLEARED {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("LANGUAGE", "").env("GIT_TERMINAL_PROMPT", "0");
        command.env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_OPTIONAL_LOCKS", "0");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.arg("--git-dir").arg(call.git_dir);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(&call.args);
        command.current_dir(call.current_dir).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    InTime,
    Killed,
}

/// Waits until the process has ended but does not reap it, so that its number stays taken.
fn await_exit(group: Pid, limit: Duration) -> Ended {
    let (send, exited) = mpsc::channel();
    thread::spawn(move || {
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        let _ = send.send(());
    });
    if !timed_out(&exited, limit) {
        return Ended::InTime;
    }
    let _ = kill_process_group(group, Signal::TERM);
    if timed_out(&exited, GRACE) {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = exited.recv();
    }
    Ended::Killed
}

fn timed_out(exited: &Receiver<()>, limit: Duration) -> bool {
    exited.recv_timeout(limit) == Err(RecvTimeoutError::Timeout)
}

/// Reads a pipe on a thread of its own. A helper that outlives git and holds the pipe open (a shared ssh connection)
/// must not hold us up, so the content is sent piecemeal into what the receiver takes at the end.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Drain {
    let content: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (send, ended) = mpsc::channel();
    let shared = Arc::clone(&content);
    thread::spawn(move || {
        let mut chunk = [0; 8192];
        let Some(mut pipe) = pipe else { return };
        while let Ok(read) = pipe.read(&mut chunk) {
            if read == 0 {
                break;
            }
            shared.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..read]);
        }
        let _ = send.send(());
    });
    Drain { content, ended }
}

struct Drain {
    content: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Drain {
    fn take(self) -> Vec<u8> {
        let _ = self.ended.recv_timeout(GRACE);
        std::mem::take(&mut *self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
