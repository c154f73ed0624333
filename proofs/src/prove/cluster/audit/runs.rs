//! Who may change a target, and when: one run at a time, from its beginning to its end, and after it has failed only
//! to take things back.

use super::log::Change;
use super::{Evidence, show};
use crate::prove::audit::Findings;

/// Checks that runs do not interleave and that none goes on after its end.
pub(super) fn check(evidence: &Evidence<'_>, changes: &[Change], findings: &mut Findings) {
    let mut order: Vec<String> = Vec::new();
    for change in changes {
        let Some(side) = evidence.side(change) else { continue };
        let Some(Ok(fence)) = change.fence() else { continue };
        let Some(run) = side.journal.run_of(fence.stamp) else { continue };
        let here = || format!("{} by {} at {}", change.object, run.id, show(fence.stamp));
        if let Some(end) = run.ended_at {
            findings.check(change.done <= end, || {
                format!("{} was changed {} µs after the run had ended", here(), change.done - end)
            });
        }
        findings
            .check(run.began_at <= change.begun, || format!("{} was changed before the run began", here()));
        let step = side.journal.intents().get(&fence.stamp).map(|intent| intent.step);
        if let (Some(failed), Some(step)) = (run.failed_at, step)
            && change.begun > failed
        {
            findings.check(step >= run.forward, || {
                format!("{} goes on with step {step} after the verdict was fail", here())
            });
        }
        if order.last() != Some(&run.id) {
            findings.check(!order.contains(&run.id), || {
                format!(
                    "{} comes after changes of {}: they interleave",
                    here(),
                    order.last().cloned().unwrap_or_default()
                )
            });
            order.push(run.id);
        }
    }
}
