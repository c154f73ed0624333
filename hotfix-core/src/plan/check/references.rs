//! References in the abstract: what a plan must not do to branches and tags.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Plan, Step, StepId};
use super::Violation;
use crate::model::{ObjectId, RefBatch, RefName, RefUpdate, Version};
use crate::request::Goal;

/// What is known of the references: those that the plan touched so far.
#[derive(Debug, Clone, Default)]
pub(super) struct References {
    held: BTreeMap<RefName, Option<ObjectId>>,
}

impl References {
    pub(super) fn apply(&mut self, step: StepId, batch: &RefBatch, violations: &mut Vec<Violation>) {
        let mut named = BTreeSet::new();
        if batch.updates.is_empty() {
            violations.push(Violation::EmptyUpdate { step });
        }
        for RefUpdate { name, old, new } in &batch.updates {
            if !named.insert(name) {
                violations.push(Violation::DuplicateReference { step, name: name.clone() });
            }
            if old == new {
                violations.push(Violation::EmptyUpdate { step });
            }
            if name.is_tag() && (old.is_some() || new.is_none()) {
                violations.push(Violation::TagMoved { step, name: name.clone() });
            }
            if self.held.get(name).is_some_and(|held| held != old) {
                violations.push(Violation::ReferenceChain { step, name: name.clone() });
            }
            self.held.insert(name.clone(), new.clone());
        }
    }

    /// Returns the branches that hold something else than what they held before anything was done.
    pub(super) fn moved_branches(&self, before: &Self) -> Vec<RefName> {
        let moved = |(name, held): &(&RefName, &Option<ObjectId>)| {
            !name.is_tag() && before.held.get(*name).is_some_and(|before| before != *held)
        };
        self.held.iter().filter(moved).map(|(name, _)| name.clone()).collect()
    }

    /// Learns what the references held before the plan, from what its first update of each expects.
    pub(super) fn before(plan: &Plan) -> Self {
        let mut held = BTreeMap::new();
        for step in plan.steps() {
            if let super::Action::Effect(super::Effect::Source { batch, .. }) = &step.action {
                for RefUpdate { name, old, .. } in &batch.updates {
                    held.entry(name.clone()).or_insert_with(|| old.clone());
                }
            }
        }
        Self { held }
    }
}

/// Returns whether a tag names a release rather than a candidate.
fn is_release(name: &RefName) -> bool {
    let text = name.short();
    let digits = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    name.is_tag() && !Version::parse(&text[digits..]).is_ok_and(|version| !version.pre.is_empty())
}

/// Returns whether a batch tells the world of a release.
pub(super) fn publishes(batch: &RefBatch) -> bool {
    batch.updates.iter().any(|update| is_release(&update.name))
}

/// Checks that what is published is proven and named rightly.
pub(super) fn check_publishing(
    plan: &Plan,
    step: &Step,
    batch: &RefBatch,
    proven: bool,
    violations: &mut Vec<Violation>,
) {
    if !publishes(batch) {
        return;
    }
    let merges = batch.updates.iter().any(|update| {
        !update.name.is_tag() && update.old.is_some() && update.new.is_some() && update.old != update.new
    });
    for update in batch.updates.iter().filter(|update| is_release(&update.name) && !merges) {
        violations.push(Violation::TagWithoutMerge { step: step.id, name: update.name.clone() });
    }
    if !proven && matches!(plan.request().goal, Goal::Deploy { .. }) {
        violations.push(Violation::PublishUnproven { step: step.id });
    }
}
