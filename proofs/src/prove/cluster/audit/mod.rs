//! The independent auditor of a namespace: it reads the API server's own log and the objects as they are, and shares no
//! code with the deployer. It knows the formats, not the types.

mod effect;
mod fence;
mod log;
mod ours;
mod runs;
mod state;
#[cfg(test)]
mod tests;
mod traffic;

use serde_json::Value;

use super::way::Way;
use crate::prove::audit::{Findings, Journal, Stamp};
use log::Change;

pub(super) use state::{Wanted, check_objects};

/// What there is to look at.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    /// Every request about the namespace, as the server wrote it down.
    pub(super) log: &'a [Value],
    /// Whose changes are looked at.
    pub(super) sides: &'a [Side<'a>],
    /// How the traffic gets to a release.
    pub(super) way: &'a Way,
}

/// A user as which drivers work, and the journal that they share.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub(super) user: String,
    pub(super) journal: &'a Journal,
}

impl<'a> Evidence<'a> {
    fn side(&self, change: &Change) -> Option<&'a Side<'a>> {
        self.sides.iter().find(|side| side.user == change.user)
    }
}

/// What is known of the stamps that an object accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stamps {
    /// Each is given out once, whoever drives.
    Rise,
    /// Drivers that share no claim may come to the same one.
    MayMeet,
}

/// Checks what must hold at every moment, also of several drivers with a journal each, if they share their claims.
pub(super) fn check(evidence: &Evidence<'_>, findings: &mut Findings) {
    let changes = log::changes(evidence.log);
    fence::check(evidence, &changes, Stamps::Rise, findings);
    effect::check(evidence, &changes, findings);
    ours::check(evidence, &changes, findings);
    runs::check(evidence, &changes, findings);
    traffic::check(evidence, &changes, findings);
}

/// Checks what must hold although the drivers know nothing of each other.
pub(super) fn check_apart(evidence: &Evidence<'_>, findings: &mut Findings) {
    let changes = log::changes(evidence.log);
    fence::check(evidence, &changes, Stamps::MayMeet, findings);
    ours::check(evidence, &changes, findings);
    traffic::check(evidence, &changes, findings);
}

/// Checks that the objects have the fences that the log's last changes left: that nothing escaped it.
pub(super) fn check_left(log: &[Value], way: &Way, objects: &Value, findings: &mut Findings) {
    let changes = log::changes(log);
    let named = [
        ("main", format!("{}/shop", way.main().plural)),
        ("copy", "deployments/shop-hotfix".to_owned()),
        ("route", way.anchor()),
    ];
    for (name, object) in named {
        let own = changes.iter().rev().filter(|change| change.object == object);
        let left = own.filter_map(log::Change::fence).find_map(Result::ok).map(|fence| fence.text);
        let found = objects[name]["metadata"]["annotations"][log::FENCE].as_str();
        findings.check(found == left.as_deref(), || {
            format!("{object} has the fence {found:?}, the last change of it that is known left {left:?}")
        });
    }
}

/// Returns how many changes of the drivers the server accepted.
pub(super) fn count(evidence: &Evidence<'_>) -> usize {
    log::changes(evidence.log).iter().filter(|change| evidence.side(change).is_some()).count()
}

/// A change of a driver that came with a stamp.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) stamp: Stamp,
    pub(super) object: String,
    pub(super) changes_only_the_fence: bool,
}

/// Returns the changes of the drivers that came with a stamp.
pub(super) fn sent(evidence: &Evidence<'_>) -> Vec<Sent> {
    let changes = log::changes(evidence.log);
    let own = changes.iter().filter(|change| evidence.side(change).is_some() && change.verb == "patch");
    let sent = own.filter_map(|change| {
        let (stamp, object) = (change.fence()?.ok()?.stamp, change.object.clone());
        Some(Sent { stamp, object, changes_only_the_fence: change.changes_only_the_fence() })
    });
    sent.collect()
}

/// A stamp as people read it.
pub(super) fn show((epoch, seq): Stamp) -> String {
    format!("{epoch}.{seq}")
}
