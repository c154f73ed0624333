//! The independent auditor: reads what is left on disk, in the process table and behind the ports, and shares no code
//! with the engine. It knows the formats, not the types.

mod host;
mod journal;
mod source;
mod target;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::traffic::Answers;

pub(super) use journal::Journal;
pub(super) use source::{check_references, references};
use target::TARGETS;

/// A stamp as the files hold it: epoch and number.
pub(super) type Stamp = (u64, u64);

/// What was checked and what was found wrong.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) checks: u32,
    pub(super) violations: Vec<String>,
}

impl Findings {
    pub(super) fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.violations.push(otherwise());
        }
    }

    /// Takes what could be read; what could not is a violation.
    fn read<T>(&mut self, read: Result<T, String>) -> Option<T> {
        self.checks += 1;
        read.map_err(|error| self.violations.push(error)).ok()
    }
}

/// How a run should have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The fix is live, tagged and merged.
    Live,
    /// Everything is as it was.
    Back,
    /// No run was opened: nothing happened.
    Nothing,
}

impl Ending {
    const fn outcome(self) -> &'static str {
        match self {
            Self::Live => "succeeded",
            Self::Back => "rolled_back",
            Self::Nothing => "nothing",
        }
    }
}

/// Where the auditor looks.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) journal: PathBuf,
    pub(super) origin: PathBuf,
    pub(super) work: PathBuf,
    pub(super) state: PathBuf,
    pub(super) folder: PathBuf,
}

/// Checks what must hold at every moment, also when the driver has just died: whatever a target accepted was written
/// down before, once, and in rising order.
pub(super) fn at_any_moment(site: &Site, findings: &mut Findings) {
    let Some(journal) = findings.read(Journal::read(&site.journal)) else { return };
    for name in TARGETS {
        target::check_writes(&site.state, name, &journal, findings);
    }
    source::check_fence(&site.origin, &journal, findings);
}

/// Checks what must hold when a run has ended.
pub(super) fn at_the_end(site: &Site, ending: Ending, findings: &mut Findings) {
    at_any_moment(site, findings);
    let Some(journal) = findings.read(Journal::read(&site.journal)) else { return };
    journal.check_ended(ending, findings);
    source::check_references(&site.origin, &site.work, ending, findings);
    let tree = source::live_tree(&site.origin, ending);
    if let Some(tree) = findings.read(tree) {
        for name in TARGETS {
            target::check_live(&site.state, name, &tree, findings);
        }
    }
    host::check_files(site, findings);
}

/// Returns what is wrong with the processes of the world now: settling them takes a moment.
pub(super) fn processes(site: &Site) -> Result<(), String> {
    host::processes(site)
}

/// Checks what the users saw: no request failed but those that the bad release answered itself.
pub(super) fn check_answers(answers: &Answers, findings: &mut Findings) {
    for ((release, status), count) in answers {
        let fine =
            matches!((release.as_str(), status.as_str()), ("baseline" | "good", "200") | ("bad", "500"));
        findings.check(fine, || format!("{count} requests were answered by {release:?} with {status:?}"));
    }
}

/// Sums up everything a further resumption could change.
pub(super) fn fingerprint(site: &Site) -> Result<String, String> {
    let mut text = Journal::read(&site.journal)?.sum() + "\n" + &references(&site.origin, &site.work)?;
    for name in TARGETS {
        text += &target::writes_text(&site.state, name)?;
    }
    Ok(text)
}

fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
