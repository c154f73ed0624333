//! What to compose in the object database for a deploy: everything that references will name later, made before any
//! of them moves.

use super::{FixSource, SourceGoal, messages};
use crate::model::Timestamp;
use crate::policy::Policy;
use crate::port::{Instruction, Point, Recipe};
use crate::request::Request;

/// Where the results of a recipe are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The fix on top of the release. For a branch: a merge of the release into it, which makes nothing when the
    /// branch is based on that release, and tells the tree.
    pub(super) fix: usize,
    /// How large it is.
    pub(super) diff: usize,
    /// The tag object of the release candidate.
    pub(super) candidate: usize,
    /// The merge into production.
    pub(super) production: usize,
    /// The tag object of the release, on that merge.
    pub(super) release: usize,
    /// The merge into develop.
    pub(super) develop: Option<usize>,
}

/// Returns the recipe of a deploy and where its results are; `None` when there is no fix to compose.
pub(super) fn recipe(
    request: &Request,
    policy: &Policy,
    goal: &SourceGoal,
    at: Timestamp,
) -> Option<(Recipe, Layout)> {
    let base = Point::Commit(goal.base.commit.clone());
    let mut instructions = Vec::new();
    let mut add = |instruction| {
        instructions.push(instruction);
        instructions.len() - 1
    };
    let (fix, fixed) = match goal.fix.as_ref()? {
        FixSource::Commits(commits) => {
            let fix = add(Instruction::Pick { onto: base.clone(), commits: commits.clone() });
            (fix, Point::Made(fix))
        }
        FixSource::Head(head) => {
            let head = Point::Commit(head.clone());
            let message = format!("Merge {} into {}", goal.from, goal.branch.short());
            (add(Instruction::Merge { into: head.clone(), from: base.clone(), message }), head)
        }
    };
    let diff = add(Instruction::Diff { from: base, to: fixed.clone() });
    let candidate = add(Instruction::Tag {
        name: goal.candidate.clone(),
        on: fixed.clone(),
        message: messages::candidate(request, &goal.candidate),
    });
    let merge = |(name, id): &(_, crate::model::ObjectId)| Instruction::Merge {
        into: Point::Commit(id.clone()),
        from: fixed.clone(),
        message: messages::merge(request, &goal.branch, name),
    };
    let production = add(merge(&goal.production));
    let release = add(Instruction::Tag {
        name: goal.tag.clone(),
        on: Point::Made(production),
        message: messages::release(request, &goal.tag),
    });
    let develop = goal.develop.as_ref().map(|develop| add(merge(develop)));
    let recipe = Recipe { identity: policy.source.identity.clone(), at, instructions };
    Some((recipe, Layout { fix, diff, candidate, production, release, develop }))
}
