//! The remote and the working repository, read by plain git commands.

use std::collections::BTreeSet;
use std::path::Path;

use super::journal::Journal;
use super::{Ending, Findings, Stamp};
use crate::prove::program::git;

const FENCE: &str = "refs/hotfix/fence/shop";

/// Checks the chain of fence commits: rising stamps, no key applied twice, an intent for each.
pub(super) fn check_fence(origin: &Path, journal: &Journal, findings: &mut Findings) {
    if git(origin, &["rev-parse", "--verify", "--quiet", FENCE]).is_err() {
        return;
    }
    let Some(chain) = findings.read(git(origin, &["log", "--reverse", "--format=%B%x00", FENCE])) else {
        return;
    };
    let intents = journal.intents();
    let (mut before, mut applied): (Stamp, _) = ((0, 0), BTreeSet::new());
    for mark in chain.split('\0').map(str::trim).filter(|mark| !mark.is_empty()) {
        let Some((title, stamp, key)) = read(mark) else {
            findings.check(false, || format!("a fence commit cannot be read: {mark:?}"));
            continue;
        };
        findings.check(stamp > before, || format!("the fence has {stamp:?} after {before:?}"));
        before = stamp;
        if title == "hotfix fence: seal" {
            continue;
        }
        let intent = intents.get(&stamp).map(|intent| intent.key.as_str());
        findings.check(intent == key, || format!("{key:?} at {stamp:?} was pushed, committed is {intent:?}"));
        if title == "hotfix fence: apply" {
            findings.check(applied.insert(key), || format!("{key:?} was pushed twice"));
        }
    }
}

fn read(mark: &str) -> Option<(&str, Stamp, Option<&str>)> {
    let title = mark.lines().next()?;
    let word = |name: &str| mark.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let (epoch, seq) = word("stamp")?.split_once('.')?;
    Some((title, (epoch.parse().ok()?, seq.parse().ok()?), word("key")))
}

/// Returns the tree that should be live.
pub(super) fn live_tree(origin: &Path, ending: Ending) -> Result<String, String> {
    let tag = if ending == Ending::Live { "v2.1.1" } else { "v2.1.0" };
    git(origin, &["rev-parse", &format!("{tag}^{{tree}}")])
}

/// Checks branches and tags after the end, in both repositories.
pub(in crate::prove) fn check_references(
    origin: &Path,
    work: &Path,
    ending: Ending,
    findings: &mut Findings,
) {
    let at = |revision: &str| git(origin, &["rev-parse", "--verify", "--quiet", revision]).ok();
    let (main, first) = (at("main"), at("v2.1.0^{commit}"));
    let merged = git(origin, &["merge-base", "--is-ancestor", "main", "develop"]).is_ok();
    let content = |branch: &str| git(origin, &["show", &format!("{branch}:behaviour")]).unwrap_or_default();
    findings.check(at("refs/heads/hotfix/2.1.1").is_none(), || "the hotfix branch is left".to_owned());
    if ending == Ending::Live {
        findings.check(main != first, || "the fix is not merged into main".to_owned());
        findings.check(at("v2.1.1^{commit}") == main, || "v2.1.1 is not what main is".to_owned());
        findings.check(at("main^2") == at("v2.1.1-rc.1^{commit}"), || {
            "main is no merge of the candidate".to_owned()
        });
        findings.check(content("main") == "good 200", || "main does not hold the fix".to_owned());
        findings
            .check(merged || content("develop") == "good 200", || "develop does not hold the fix".to_owned());
    } else {
        findings.check(main == first, || "main has moved".to_owned());
        findings.check(at("v2.1.1").is_none(), || "v2.1.1 exists".to_owned());
        findings.check(content("develop") == "baseline 200", || "develop has changed".to_owned());
    }
    for kind in ["refs/heads", "refs/tags"] {
        let list = |repository| git(repository, &["for-each-ref", "--format=%(refname) %(objectname)", kind]);
        if let (Some(there), Some(here)) = (findings.read(list(origin)), findings.read(list(work))) {
            findings.check(there == here, || {
                format!("{kind} differ: the remote has\n{there}\nthe repository has\n{here}")
            });
        }
    }
}

/// Returns every reference of both repositories.
pub(in crate::prove) fn references(origin: &Path, work: &Path) -> Result<String, String> {
    let all = |repository| git(repository, &["for-each-ref"]);
    Ok(format!("{}\n{}\n", all(origin)?, all(work)?))
}
