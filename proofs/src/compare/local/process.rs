//! Processes that end with the comparison, and cores that they are kept on.

use std::process::{Child, Command};

use hotfix_benches::Failure;
use hotfix_benches::program::{program, run};
use rustix::process::{Pid, Signal, kill_process};

/// What shares a core with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Core {
    /// The proxies, of which only one is under load at a time.
    Proxy,
    /// The services behind them and the load.
    Rest,
}

impl Core {
    /// The core's number; on a machine with one core there is only one.
    fn number(self) -> &'static str {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        match self {
            Self::Rest if cores > 1 => "1",
            Self::Proxy | Self::Rest => "0",
        }
    }

    /// The words that start a program on this core.
    pub(super) fn words(self) -> [&'static str; 2] {
        ["-c", self.number()]
    }

    /// A program that is to be started on this core.
    pub(super) fn program(self, name: &str) -> Command {
        let mut command = program("taskset");
        command.args(self.words()).arg(name);
        command
    }

    /// Moves a process with all its threads to this core.
    pub(super) fn take(self, process: u32) -> Result<(), Failure> {
        let arguments = ["-a", "-c", "-p", self.number(), &process.to_string()];
        run(program("taskset").args(arguments)).map(drop)
    }
}

/// Ends a process when dropped.
#[derive(Debug)]
pub(super) struct Ended(pub(super) u32);

impl Drop for Ended {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0).ok().and_then(Pid::from_raw);
        // It may be gone already.
        let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
    }
}

/// Ends a child when dropped, and waits for that.
#[derive(Debug)]
pub(super) struct EndedChild(pub(super) Child);

impl Drop for EndedChild {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
