//! The folders of started processes: tokens that are never used twice, and what an earlier agent left behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use hotfix_core::model::SlotName;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use crate::error::LocalError;
use crate::process::{Identity, Instance, Running, adopt, find_instances, leads_its_group};

/// Makes the tokens of one agent's life.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Differs from that of every agent in another process, on this host and ever.
    agent: String,
}

/// Shared by all agents of this process: whoever carries a token is killed by it, so two must never be the same.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Tokens {
    pub(crate) fn new(agent: &Identity) -> Self {
        // Pid and start time are unique within a boot; the part of the boot's id makes them so across boots.
        let boot: String = agent.boot.chars().filter(char::is_ascii_hexdigit).take(8).collect();
        Self { agent: format!("{boot}-{}-{}", agent.pid, agent.start_ticks) }
    }

    pub(crate) fn fresh(&self, slot: &SlotName) -> String {
        format!("{slot}-{}-{}", self.agent, NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Returns the processes an earlier agent started and that still run, those included whose start it did not get to
/// record. Folders without a process stay for [`prune`].
pub(crate) fn survivors(folder: &Path) -> Result<Vec<Instance>, LocalError> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let running = find_instances().map_err(LocalError::io("list", Path::new("/proc")))?;
    // The process that was started leads its group; its own children carry the same token.
    let leaders = running.iter().filter(|(pid, _)| leads_its_group(*pid));
    let by_token: BTreeMap<&str, i32> = leaders.map(|(pid, token)| (token.as_str(), *pid)).collect();
    let mut survivors = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let Some(mut instance) = Instance::read(&entry.path()) else {
            continue;
        };
        if instance.process.is_none()
            && let Some(&pid) = by_token.get(instance.token.as_str())
        {
            instance.process = Identity::of(pid)?;
        }
        if instance.process.as_ref().is_some_and(Identity::is_alive) {
            survivors.push(instance);
        } else if running.iter().any(|(_, token)| *token == instance.token) {
            kill_all(&instance.token);
        }
    }
    survivors.sort_by(|a, b| a.token.cmp(&b.token));
    Ok(survivors)
}

/// Asks a process to end, and makes it after `grace`.
pub(crate) async fn stop(running: &mut Running, grace: Duration, kill_limit: Duration) {
    let asked = running.identity.signal_group(Signal::TERM);
    if asked.is_ok() && timeout(grace, running.ended()).await.is_ok() {
        return;
    }
    if let Err(error) = running.identity.signal_group(Signal::KILL) {
        tracing::error!(%error, pid = running.identity.pid, "cannot kill a process");
    }
    if timeout(kill_limit, running.ended()).await.is_err() {
        tracing::error!(pid = running.identity.pid, "a killed process does not end");
    }
}

/// Stops a process of an earlier agent that nobody wants any more.
pub(crate) async fn stop_stranger(stranger: Instance, folder: PathBuf) {
    if let Some(mut running) = stranger.process.as_ref().and_then(adopt) {
        stop(&mut running, STRANGER_GRACE, STRANGER_GRACE).await;
    }
    kill_all(&stranger.token);
    // Nothing is lost with it but logs of a process that was stopped as wanted.
    let _ = fs::remove_dir_all(stranger.folder(&folder));
}

/// Nobody sends it requests any more.
const STRANGER_GRACE: Duration = Duration::from_secs(5);

/// Kills every process that carries the token: those a release started itself and that outlived it.
pub(crate) fn kill_all(token: &str) {
    let Ok(found) = find_instances() else { return };
    for (pid, _) in found.iter().filter(|(_, found)| found == token) {
        if let Some(pid) = Pid::from_raw(*pid) {
            // It may have ended by itself since it was listed.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// How many folders of ended processes are kept per slot, for their logs.
const ENDED_KEPT: usize = 5;

/// Removes the oldest folders of processes that have ended.
pub(crate) fn prune(folder: &Path, slot: &SlotName) {
    let mut ended = ended(folder, slot);
    ended.sort();
    let surplus = ended.len().saturating_sub(ENDED_KEPT);
    for (_, path) in ended.into_iter().take(surplus) {
        // One that cannot be removed now is tried again at the next exit.
        let _ = fs::remove_dir_all(path);
    }
}

fn ended(folder: &Path, slot: &SlotName) -> Vec<(SystemTime, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let ended = entries.filter_map(|entry| {
        let instance = Instance::read(&entry.path()).filter(|instance| instance.slot == *slot)?;
        let alive = instance.process.is_none_or(|process| process.is_alive());
        if alive { None } else { Some((entry.metadata().ok()?.modified().ok()?, entry.path())) }
    });
    ended.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_agents_of_one_process_share_no_token() {
        let identity = Identity { pid: 7, start_ticks: 99, boot: "0a1b2c3d-4e5f".to_owned() };
        let slot = SlotName::new("blue").expect("a slot");
        let [first, second] =
            [Tokens::new(&identity), Tokens::new(&identity)].map(|tokens| tokens.fresh(&slot));
        assert!(first.starts_with("blue-0a1b2c3d-7-99-"), "{first}");
        assert_ne!(first, second);
    }
}
