//! A hotfix branch is made, and nothing else.

use super::draft::{self, Frame, Steps};
use super::rollback::Undoing;
use super::safety::{Facts, Refusals};
use super::{Finding, NothingToDo, Planned, Refusal, Refused, Subject};
use crate::model::{Fenced, RefUpdate};
use crate::observe::{self, BranchState, SourceGoal};

/// Makes the plan of a branch.
pub(super) fn plan(facts: Facts<'_>) -> Result<Planned, Refused> {
    let mut refusals = Refusals::default();
    facts.unclaimed(&[Fenced::Source(facts.request.service.clone())], &mut refusals);
    let goal = goal(facts, &mut refusals);
    let goal = refusals.settle(goal)?;
    if goal.branch_state != BranchState::Absent {
        return Ok(Planned::NothingToDo(NothingToDo::BranchExists { branch: goal.branch }));
    }
    let mut steps = Steps::new(facts);
    steps.references(vec![RefUpdate::create(goal.branch, goal.base.commit)]);
    let taken = goal.taken;
    let version = goal.version;
    let findings =
        (!taken.is_empty()).then_some(Finding::VersionsTaken { taken, version }).into_iter().collect();
    let frame = Frame { release: None, baselines: Vec::new(), undoing: Undoing::default(), findings };
    Ok(draft::finish(facts, steps, frame))
}

fn goal(facts: Facts<'_>, refusals: &mut Refusals) -> Option<SourceGoal> {
    let subject = Subject::Source(facts.request.service.clone());
    let source = facts.known(facts.snapshot.source.as_ref(), subject.clone(), refusals)?;
    let goal = match observe::resolve(facts.request, facts.policy, source) {
        Ok(goal) => goal,
        Err(faults) => {
            faults.into_iter().for_each(|fault| refusals.add(fault));
            return None;
        }
    };
    if !source.refs.contains_key(&goal.branch) {
        refusals.add(Refusal::Unasked { what: subject });
    }
    match &goal.branch_state {
        BranchState::At(at) if *at != goal.base.commit => {
            refusals.add(Refusal::BranchExists { branch: goal.branch.clone(), at: at.clone() });
        }
        BranchState::Absent | BranchState::At(_) => {}
    }
    Some(goal)
}
