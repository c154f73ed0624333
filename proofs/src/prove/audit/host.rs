//! The process table and the folders: nothing is left behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::target::{TARGETS, replicas};
use super::{Findings, Site};
use crate::prove::program::processes_of;

/// Returns what is wrong with the processes: there is one agent, every instance is one that a target wants, and
/// nothing else works here.
pub(super) fn processes(site: &Site) -> Result<(), String> {
    let all = processes_of(&site.folder);
    let plays = |part: &str| {
        all.iter().filter(|process| process.words.iter().any(|word| word == part)).count() as u64
    };
    let (agents, instances) = (plays("@agent"), plays("@serve"));
    let wanted = TARGETS.iter().map(|name| replicas(&site.state, name)).sum::<Result<u64, _>>()?;
    let expected = (1, wanted, wanted + 1);
    let found = (agents, instances, all.len() as u64);
    if found == expected {
        return Ok(());
    }
    let list: Vec<_> =
        all.iter().map(|process| format!("{} {}", process.pid, process.words.join(" "))).collect();
    Err(format!("one agent and {wanted} instances should run, there are:\n{}", list.join("\n")))
}

/// Checks that no lock is held or left and no temporary folder stays.
pub(super) fn check_files(site: &Site, findings: &mut Findings) {
    for repository in [&site.origin, &site.work] {
        let stale: Vec<_> = files_below(repository).into_iter().filter(|path| is_stale(path)).collect();
        findings.check(stale.is_empty(), || format!("left in the repository: {stale:?}"));
        check_free(&repository.join(TURN), findings);
    }
    for name in TARGETS {
        let folder = site.state.join("targets").join(name);
        for lock in ["state.lock", "releases.lock"] {
            check_free(&folder.join(lock), findings);
        }
        let releases = fs::read_dir(folder.join("releases")).into_iter().flatten().filter_map(Result::ok);
        let odd: Vec<_> = releases
            .map(|entry| entry.file_name())
            .filter(|name| !is_tree(&name.to_string_lossy()))
            .collect();
        findings.check(odd.is_empty(), || format!("left among the releases of {name}: {odd:?}"));
    }
}

/// The file that whoever changes the repository locks, and that stays.
const TURN: &str = "hotfix.lock";

/// Checks a lock file that stays and is held through the kernel.
fn check_free(path: &Path, findings: &mut Findings) {
    let free = !path.exists() || File::open(path).is_ok_and(|file| file.try_lock().is_ok());
    findings.check(free, || format!("{} is held", path.display()));
}

fn is_tree(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Locks of git that block somebody, and what a push leaves that was never finished. A lock below `refs/hotfix` blocks
/// nobody: whoever has the turn takes it away.
fn is_stale(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let blocks = text.ends_with(".lock") && !text.ends_with(TURN) && !text.contains("/refs/hotfix/");
    blocks || text.contains("/incoming-")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .flat_map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { vec![entry.path()] })
        .collect()
}
