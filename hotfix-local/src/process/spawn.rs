//! Starting a process of a release, and finding one again that an earlier agent started.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::identity::Identity;
use super::procfs::TOKEN_VARIABLE;
use crate::error::LocalError;
use crate::manifest::Manifest;

/// What is started, and where.
#[derive(Debug)]
pub(crate) struct SpawnRequest<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) release_folder: &'a Path,
    pub(crate) instance_folder: &'a Path,
    pub(crate) token: &'a str,
    pub(crate) port: u16,
}

/// A process that runs, and the means to learn of its end.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) identity: Identity,
    end: End,
}

#[derive(Debug)]
enum End {
    /// Started by this agent, which therefore learns the exit status.
    Child(Box<Child>),
    /// Started by an earlier agent: the end is seen, the status is not.
    Adopted,
}

/// Variables every program may need; everything else is named in the manifest, so that the agent's secrets stay its own.
const ALWAYS_PASSED: [&str; 6] = ["HOME", "LANG", "PATH", "TMPDIR", "TZ", "USER"];

/// Starts the process in a group of its own, with its output in the instance's folder.
///
/// # Errors
/// [`io::Error`] when the program cannot be started.
pub(crate) fn spawn(request: &SpawnRequest<'_>) -> io::Result<Running> {
    let mut command = command(request)?;
    let child = command.spawn()?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let gone = || io::Error::other("the process ended before it could be identified");
    let identity = pid.map(Identity::of_child).transpose()?.ok_or_else(gone)?;
    Ok(Running { identity, end: End::Child(Box::new(child)) })
}

/// Takes over a process of an earlier agent; nothing when it is gone.
pub(crate) fn adopt(identity: &Identity) -> Option<Running> {
    identity.is_alive().then(|| Running { identity: identity.clone(), end: End::Adopted })
}

impl Running {
    /// Waits for the end and says how it came.
    pub(crate) async fn ended(&mut self) -> String {
        match &mut self.end {
            End::Child(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => format!("unknown status: {error}"),
            },
            End::Adopted => {
                while self.identity.is_alive() {
                    sleep(ADOPTED_POLL).await;
                }
                "unknown status: it was started by an earlier agent".to_owned()
            }
        }
    }
}

/// Only a parent is told of an end; anybody else has to look.
const ADOPTED_POLL: Duration = Duration::from_millis(50);

#[expect(clippy::disallowed_methods, reason = "the one place that starts releases and hands on variables")]
fn command(request: &SpawnRequest<'_>) -> io::Result<Command> {
    let manifest = request.manifest;
    let port = request.port.to_string();
    let mut words = manifest.argv.iter().map(|word| word.replace("{port}", &port));
    let program = program_path(&words.next().unwrap_or_default(), request.release_folder);
    let mut command = std::process::Command::new(program);
    let passed = ALWAYS_PASSED.into_iter().chain(manifest.pass_env.iter().map(String::as_str));
    let passed = passed.filter_map(|name| std::env::var_os(name).map(|value| (name, value)));
    command
        .args(words)
        .env_clear()
        .envs(passed)
        .envs(manifest.env.iter().map(|(name, value)| (name, value.replace("{port}", &port))))
        .env("PORT", &port)
        .env(TOKEN_VARIABLE, request.token)
        .current_dir(request.release_folder)
        .stdin(Stdio::null())
        .stdout(log(request.instance_folder, "stdout.log")?)
        .stderr(log(request.instance_folder, "stderr.log")?);
    let mut command = Command::from(command);
    // A group of its own keeps it out of reach of the signals that end its starter.
    command.process_group(0);
    Ok(command)
}

/// A program with a slash is meant relative to the release, whatever folder the agent runs in.
fn program_path(program: &str, release_folder: &Path) -> PathBuf {
    if program.contains('/') { release_folder.join(program) } else { PathBuf::from(program) }
}

fn log(folder: &Path, name: &str) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(folder.join(name))
}

impl Identity {
    /// Identifies a child that was not waited for yet, so its pid cannot belong to anybody else.
    fn of_child(pid: i32) -> io::Result<Self> {
        let to_io = |error: LocalError| io::Error::other(error.to_string());
        let boot = super::procfs::boot_id().map_err(to_io)?;
        // Even a child that ended at once is still there as a zombie.
        let stat = super::procfs::stat(pid).ok_or_else(|| io::Error::other(format!("no process {pid}")))?;
        Ok(Self { pid, start_ticks: stat.start_ticks, boot })
    }
}
