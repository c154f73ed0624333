//! Starting an agent as a process of its own, which outlives whoever starts it.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::client::AgentClient;
use crate::error::LocalError;
use crate::layout::Root;

/// What came of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Launched {
    /// The agent was started as this process.
    Started {
        /// Its process id.
        pid: u32,
    },
    /// An agent already served the state directory.
    AlreadyRunning,
}

/// Starts `program` with `arguments`, which must run an agent for the state directory `state`, in a process group of
/// its own with its output in `agent.log`, and waits until it answers.
///
/// # Errors
/// [`LocalError::Io`] when the program cannot be started, [`LocalError::AgentDown`] when it does not answer within
/// `within`; `agent.log` then says why.
pub async fn launch_agent<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    state: &Path,
    within: Duration,
) -> Result<Launched, LocalError> {
    let client = AgentClient::new(Root::new(state));
    if client.answers().await {
        return Ok(Launched::AlreadyRunning);
    }
    std::fs::create_dir_all(state).map_err(LocalError::io("create", state))?;
    let pid = start(program, arguments, &Root::new(state))?;
    let deadline = Instant::now() + within;
    while !client.answers().await {
        if Instant::now() >= deadline {
            return Err(LocalError::AgentDown { root: state.to_owned() });
        }
        sleep(ASK_AGAIN).await;
    }
    Ok(Launched::Started { pid })
}

const ASK_AGAIN: Duration = Duration::from_millis(20);

#[expect(clippy::disallowed_methods, reason = "the one place that starts an agent")]
fn start<A: AsRef<OsStr>>(program: &Path, arguments: &[A], root: &Root) -> Result<u32, LocalError> {
    let path = root.agent_log();
    let log =
        OpenOptions::new().append(true).create(true).open(&path).map_err(LocalError::io("open", &path))?;
    let errors = log.try_clone().map_err(LocalError::io("open", &path))?;
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
    Ok(command.spawn().map_err(LocalError::io("start", program))?.id())
}
