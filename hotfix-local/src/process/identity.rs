//! Which process exactly: a pid alone is used again by the system, a pid with its start time and boot is not.

use std::io;
use std::path::{Path, PathBuf};

use hotfix_core::model::{Release, SlotName};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

use super::procfs;
use crate::durable;
use crate::error::LocalError;

/// A process, never mistaken for a later one with the same pid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    pub(crate) start_ticks: u64,
    pub(crate) boot: String,
}

/// One start of a release, as `instance.json` records it: first the intent, then the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    /// Unique among all instances ever; also in the environment of the process.
    pub(crate) token: String,
    pub(crate) slot: SlotName,
    pub(crate) release: Release,
    /// Which of the slot's replicas it is, from 0.
    pub(crate) index: u16,
    pub(crate) port: u16,
    /// Nothing between the intent and the start.
    pub(crate) process: Option<Identity>,
}

/// The name of the record in the instance's folder.
pub(crate) const RECORD: &str = "instance.json";

impl Identity {
    /// Identifies a running process.
    pub(crate) fn of(pid: i32) -> Result<Option<Self>, LocalError> {
        let boot = procfs::boot_id()?;
        Ok(procfs::ticks_of(pid).map(|start_ticks| Self { pid, start_ticks, boot }))
    }

    /// Whether exactly this process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        procfs::ticks_of(self.pid) == Some(self.start_ticks)
            && procfs::boot_id().is_ok_and(|boot| boot == self.boot)
    }

    /// Signals the process and everything it started in its group. Nothing happens when it is gone.
    pub(crate) fn signal_group(&self, signal: Signal) -> io::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) else {
            return Ok(());
        };
        // It was started as the leader of its group; should it have left it, only the process itself is signalled.
        let sent = if procfs::leads_its_group(self.pid) {
            kill_process_group(pid, signal)
        } else {
            kill_process(pid, signal)
        };
        match sent {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Instance {
    pub(crate) fn folder(&self, instances: &Path) -> PathBuf {
        instances.join(&self.token)
    }

    /// Makes the record durable in `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), LocalError> {
        let path = folder.join(RECORD);
        let corrupt =
            |error: serde_json::Error| LocalError::Corrupt { path: path.clone(), reason: error.to_string() };
        let text = serde_json::to_vec_pretty(self).map_err(corrupt)?;
        durable::replace(&path, &text).map_err(|error| LocalError::io("write", &path)(error.into()))
    }

    /// Reads the record of an instance's folder; nothing when a crash came before it was written.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(RECORD)).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_pid_is_another_process() {
        let own = i32::try_from(std::process::id()).expect("a pid");
        let identity = Identity::of(own).expect("readable").expect("running");
        assert!(identity.is_alive());
        assert!(!Identity { start_ticks: identity.start_ticks + 1, ..identity.clone() }.is_alive());
        assert!(!Identity { boot: "another".to_owned(), ..identity }.is_alive());
    }

    #[test]
    fn a_process_that_took_over_a_pid_is_not_signalled() {
        let own = i32::try_from(std::process::id()).expect("a pid");
        let identity = Identity::of(own).expect("readable").expect("running");
        let earlier = Identity { start_ticks: identity.start_ticks - 1, ..identity };
        // Were the start time not compared, this would end the test process.
        earlier.signal_group(Signal::KILL).expect("nothing to signal");
    }
}
