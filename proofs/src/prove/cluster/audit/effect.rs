//! What must be true of the changes that belong to one effect, or to one seal, whichever objects they are of: the anchor
//! comes first and the key last, and what was sealed stays as it is.

use std::collections::BTreeMap;

use super::log::{Change, Fence};
use super::{Evidence, show};
use crate::prove::audit::{Findings, Stamp};

/// What was seen of a stamp so far.
#[derive(Debug, Default)]
struct Seen {
    /// Its key is recorded, so nothing more of it is to come.
    is_over: bool,
}

/// Checks the changes of every stamp, in the order in which the server accepted them.
pub(super) fn check(evidence: &Evidence<'_>, changes: &[Change], findings: &mut Findings) {
    let anchor = evidence.way.anchor();
    let seals = seals(evidence, changes);
    let mut stamps: BTreeMap<Stamp, Seen> = BTreeMap::new();
    for change in changes.iter().filter(|change| !change.is_of_pod()) {
        if evidence.side(change).is_none() {
            continue;
        }
        let Some(Ok(fence)) = change.fence().filter(|fence| !matches!(fence, Ok(it) if it.is_first())) else {
            continue;
        };
        let here = || format!("{} at {}", change.object, show(fence.stamp));
        let is_new = !stamps.contains_key(&fence.stamp);
        findings.check(!is_new || change.object == anchor, || {
            format!("{} comes before {anchor}, which tells who may go on", here())
        });
        let seen = stamps.entry(fence.stamp).or_default();
        let is_quiet = change.changes_only_the_fence();
        findings.check(is_quiet || !seen.is_over, || {
            format!("{} was changed after the key of the effect was recorded", here())
        });
        findings.check(is_quiet || !fence.is_seal(), || format!("{} is a seal and changes more", here()));
        seen.is_over |= fence.applied.iter().any(|(_, stamp)| *stamp == fence.stamp);
        let late = seals.iter().find(|(seal, at)| fence.stamp < *seal && change.begun > *at);
        findings.check(late.is_none(), || {
            format!(
                "{} came after the target was sealed at {}",
                here(),
                late.map_or_else(String::new, |(seal, _)| show(*seal))
            )
        });
    }
}

/// The seals of the target, each with when somebody noted that it is sealed. Those of other targets are on none of its
/// objects.
fn seals(evidence: &Evidence<'_>, changes: &[Change]) -> Vec<(Stamp, i64)> {
    let fences = changes.iter().filter(|change| evidence.side(change).is_some());
    let on_objects: Vec<Stamp> =
        fences.filter_map(|change| change.fence()?.ok().filter(Fence::is_seal)).map(|it| it.stamp).collect();
    let noted = evidence.sides.iter().flat_map(|side| side.journal.seals());
    noted.filter(|(stamp, _)| on_objects.contains(stamp)).collect()
}
