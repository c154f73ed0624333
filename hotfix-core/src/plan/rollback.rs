//! What takes a plan back: one undo per thing that was changed, in reverse order, all before the first effect.
//!
//! A workload is put back as a whole, by its frozen snapshot, whichever of its steps were applied or begun. References
//! that the run made go back to what they held. Tags of release candidates stay: they are evidence, and tags are never moved.

use std::collections::BTreeSet;

use super::{Action, Baseline, OnFailure, Step, StepId, Undo};
use crate::model::{ArtifactId, Effect, Period, Precondition, RefBatch, RefUpdate, Verb};

/// What the undo of a plan needs to know beside its steps.
#[derive(Debug, Default)]
pub(super) struct Undoing {
    /// What the workloads run when everything went well: a workload that runs anything but this or its baseline was
    /// changed by somebody else, and is left alone.
    pub(super) artifact: Option<ArtifactId>,
}

impl Undoing {
    /// Returns the undo steps, numbered on from the forward steps.
    pub(super) fn steps(&self, steps: &[Step], baselines: &[Baseline], deadline: Period) -> Vec<Undo> {
        let mut undone = BTreeSet::new();
        let mut rollback = Vec::new();
        for (step, effect) in reversible(steps).rev() {
            if undone.contains(&step) {
                continue;
            }
            let (covers, effect) = match effect {
                Effect::Workload { target, .. } => {
                    let Some(baseline) = baselines.iter().find(|baseline| baseline.target == *target) else {
                        continue;
                    };
                    let on_target = |other: &Effect| matches!(other, Effect::Workload { target: other, .. } if other == target);
                    let covers =
                        reversible(steps).filter(|(_, other)| on_target(other)).map(|(id, _)| id).collect();
                    (covers, self.restore(baseline))
                }
                Effect::Source { service, batch } => {
                    let updates: Vec<_> = batch.updates.iter().rev().filter_map(inverse).collect();
                    if updates.is_empty() {
                        continue;
                    }
                    let effect = Effect::Source { service: service.clone(), batch: RefBatch { updates } };
                    (vec![step], effect)
                }
            };
            undone.extend(covers.iter().copied());
            let id = StepId(u16::try_from(steps.len() + rollback.len()).unwrap_or(u16::MAX));
            rollback.push(Undo { id, covers, effect, deadline });
        }
        rollback
    }

    fn restore(&self, baseline: &Baseline) -> Effect {
        let Baseline { target, snapshot } = baseline;
        let mut live = vec![snapshot.release.artifact.id()];
        live.extend(
            self.artifact.iter().filter(|artifact| **artifact != live[0]).cloned().collect::<Vec<_>>(),
        );
        Effect::Workload {
            target: target.clone(),
            verb: Verb::Restore { snapshot: snapshot.clone() },
            precondition: Precondition { live, holds: None },
        }
    }
}

fn reversible(steps: &[Step]) -> impl DoubleEndedIterator<Item = (StepId, &Effect)> {
    steps.iter().filter(|step| step.on_failure == OnFailure::RollBack).filter_map(|step| match &step.action {
        Action::Effect(effect) => Some((step.id, effect)),
        Action::Gate(_) => None,
    })
}

/// Returns what puts a reference back; `None` for tags.
fn inverse(update: &RefUpdate) -> Option<RefUpdate> {
    let RefUpdate { name, old, new } = update.clone();
    (!name.is_tag()).then_some(RefUpdate { name, old: new, new: old })
}
