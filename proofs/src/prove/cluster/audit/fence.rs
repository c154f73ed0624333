//! What must be true of every change that a driver made: it carries a stamp that is above all before, it was written
//! down before it was sent, and each effect is there once.

use std::collections::{BTreeMap, BTreeSet};

use super::log::{Change, Fence};
use super::{Evidence, Side, Stamps, show};
use crate::prove::audit::Findings;

/// How many keys an object remembers.
const REMEMBERED: usize = 16;

/// Checks every change of every driver, in the order in which the server accepted them.
pub(super) fn check(evidence: &Evidence<'_>, changes: &[Change], stamps: Stamps, findings: &mut Findings) {
    let mut fences: BTreeMap<&str, (Fence, &str)> = BTreeMap::new();
    let mut recorded = BTreeSet::new();
    for change in changes.iter().filter(|change| !change.is_of_pod()) {
        let Some(side) = evidence.side(change) else { continue };
        let here = || format!("{} of {} at {}", change.verb, change.object, change.begun);
        let fence = match change.fence() {
            Some(Ok(fence)) => fence,
            Some(Err(error)) => {
                findings.check(false, || format!("{}: {error}", here()));
                continue;
            }
            None => {
                findings.check(false, || format!("{} carries no stamp", here()));
                continue;
            }
        };
        let left = fences.insert(&change.object, (fence.clone(), &change.user));
        let before = left.as_ref().map(|(fence, _)| fence);
        match stamps {
            Stamps::Rise => check_order(change, left.as_ref(), &fence, findings),
            Stamps::MayMeet => check_floor(change, before, &fence, findings),
        }
        check_base(change, before, &fence, findings);
        let known = |key: &str| before.and_then(|before| before.stamp_of(key));
        let fresh: Vec<_> = fence.applied.iter().filter(|(key, _)| known(key).is_none()).collect();
        for (key, stamp) in &fresh {
            // Whoever shares no claim has runs of his own, and so names of his own for what they do.
            let whose = (stamps == Stamps::MayMeet).then_some(&change.user);
            findings.check(recorded.insert((whose, key.clone())), || {
                format!("{}: {key} was applied twice", here())
            });
            findings.check(*stamp == fence.stamp, || {
                format!(
                    "{}: {key} is recorded with {}, the change brings {}",
                    here(),
                    show(*stamp),
                    show(fence.stamp)
                )
            });
        }
        let again = fence.applied.iter().find(|(key, stamp)| known(key).is_some_and(|known| known != *stamp));
        findings.check(again.is_none() || change.changes_only_the_fence(), || {
            format!("{}: {} was applied again", here(), again.map_or("", |(key, _)| key))
        });
        if !fence.is_first() {
            check_written_down(side, change, &fence, fresh.first().map(|(key, _)| key.as_str()), findings);
        }
    }
}

/// Stamps of an object rise. The same one again is the next part of the same effect, so it comes from the same user: not
/// after a seal, and not after its key was recorded.
fn check_order(change: &Change, left: Option<&(Fence, &str)>, fence: &Fence, findings: &mut Findings) {
    let Some((before, user)) = left else {
        // The first fence of an object is put there when it is adopted, or by a seal where somebody took it away.
        let is_first = fence.is_first() || fence.is_seal();
        return findings.check(is_first, || format!("{} begins with {}", change.object, show(fence.stamp)));
    };
    let is_over = before.is_seal() || before.applied.iter().any(|(_, it)| *it == before.stamp);
    let goes_on = fence.stamp == before.stamp && !is_over && *user == change.user;
    findings.check(fence.stamp > before.stamp || goes_on, || {
        let seal = if before.is_seal() { ", a seal" } else { "" };
        let other = if *user == change.user { String::new() } else { format!(" of {user}") };
        format!("{} accepted {} after {}{seal}{other}", change.object, show(fence.stamp), show(before.stamp))
    });
}

/// Drivers that share no claim may come to the same stamp. Below one that was accepted nobody gets.
fn check_floor(change: &Change, before: Option<&Fence>, fence: &Fence, findings: &mut Findings) {
    let floor = before.map_or((0, 0), |before| before.stamp);
    findings.check(fence.stamp >= floor, || {
        format!("{} accepted {} after {}", change.object, show(fence.stamp), show(floor))
    });
}

/// A change was compared with the fence that was there, and forgets nothing of it.
fn check_base(change: &Change, before: Option<&Fence>, fence: &Fence, findings: &mut Findings) {
    let Some(before) = before else { return };
    let lost =
        before.applied.iter().rev().take(REMEMBERED - 1).find(|(key, _)| fence.stamp_of(key).is_none());
    findings.check(lost.is_none(), || format!("{} forgot {lost:?} at {}", change.object, show(fence.stamp)));
    findings.check(change.compares() == Some(&before.text), || {
        format!("{} was compared with {:?}, its fence was {}", change.object, change.compares(), before.text)
    });
}

/// A stamp is that of an intent that was committed before the request came, for the effect whose key is recorded; that
/// of a seal belongs to an epoch that had begun.
fn check_written_down(
    side: &Side<'_>,
    change: &Change,
    fence: &Fence,
    key: Option<&str>,
    findings: &mut Findings,
) {
    let (object, stamp) = (&change.object, show(fence.stamp));
    if fence.is_seal() {
        let begun = side.journal.epoch_begins(fence.stamp.0);
        return findings.check(begun.is_some_and(|at| at <= change.begun), || {
            format!("{object} was sealed at {stamp}, but its epoch begins at {begun:?}")
        });
    }
    let intents = side.journal.intents();
    let intent = intents.get(&fence.stamp);
    findings.check(intent.is_some_and(|intent| intent.at <= change.begun), || {
        format!("{object} accepted {stamp} at {}, its intent is {intent:?}", change.begun)
    });
    if let Some((key, intent)) = key.zip(intent) {
        findings.check(key == intent.key, || {
            format!("{object} accepted {key} at {stamp}, which is the stamp of {}", intent.key)
        });
    }
}
