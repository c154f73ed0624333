//! Leaves no process behind, however the example ends. The folder stays: it holds the journal and the postmortems.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// Kills what still works in a folder when it is dropped: the agent and the instances of the shop outlive their
/// starters on purpose.
#[derive(Debug)]
pub(crate) struct Cleanup(PathBuf);

impl Cleanup {
    pub(crate) fn of(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Processes that were started with the folder on their command line, or that work in it.
    fn processes(&self) -> Vec<Pid> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| self.works_here(*pid)).filter_map(Pid::from_raw).collect()
    }

    fn works_here(&self, pid: i32) -> bool {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let works = std::fs::read_link(process.join("cwd")).is_ok_and(|folder| folder.starts_with(&self.0));
        let own = u32::try_from(pid).is_ok_and(|pid| pid == std::process::id());
        let named = || {
            let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&*self.0.to_string_lossy())
        };
        !own && (works || named())
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        // The agent would start killed instances again, so look until nothing is left.
        for _ in 0..5 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for pid in left {
                // One that ended meanwhile is what is wanted.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}
