//! What the composed objects mean: the fix and its tree, its size, the merges and the tags.

use super::recipe::{self, Layout};
use super::{FixSource, Snapshot, SourceGoal};
use crate::model::ObjectId;
use crate::policy::Policy;
use crate::port::{Composed as Made, ConflictPath, DiffSize};
use crate::request::Request;

/// Everything that references will name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Composed {
    /// The commit that has the fix.
    pub(crate) fix: ObjectId,
    /// Its tree: what is deployed.
    pub(crate) tree: ObjectId,
    /// How it differs from the release it starts from.
    pub(crate) diff: DiffSize,
    /// The tag object of the release candidate.
    pub(crate) candidate: ObjectId,
    /// The merge into production.
    pub(crate) production: ObjectId,
    /// The tag object of the release.
    pub(crate) release: ObjectId,
    /// What became of the merge into develop.
    pub(crate) develop: DevelopMerge,
    /// Whether production had the fix before.
    pub(crate) merged: bool,
}

/// What became of the merge into develop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DevelopMerge {
    /// There is no such branch.
    NoBranch,
    /// It is this commit.
    Merged(ObjectId),
    /// The branch has the fix already.
    Contained,
    /// Only a human can do it.
    Conflict(Vec<ConflictPath>),
}

/// Why the composed objects are of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ComposeFault {
    /// Nothing was composed of this recipe.
    Missing,
    /// The composing failed.
    Gap(String),
    /// The results do not fit the recipe.
    Malformed,
    /// The commits cannot be picked.
    PickConflict(Vec<ConflictPath>),
    /// The picks change nothing.
    NothingNew,
    /// The branch is not based on the release.
    NotBased,
    /// The production branch cannot take the fix.
    MergeConflict(Vec<ConflictPath>),
    /// The production branch holds something else than the release it is said to hold.
    OtherTree,
}

/// Returns what was composed for this request, or why it is of no use.
pub(crate) fn composed(
    request: &Request,
    policy: &Policy,
    goal: &SourceGoal,
    snapshot: &Snapshot,
) -> Result<Composed, ComposeFault> {
    let (recipe, layout) =
        recipe::recipe(request, policy, goal, snapshot.taken_at).ok_or(ComposeFault::Missing)?;
    let composition = snapshot.composition.as_ref().filter(|composition| composition.recipe == recipe);
    match &composition.ok_or(ComposeFault::Missing)?.results {
        super::Fact::Gap { reason, .. } => Err(ComposeFault::Gap(reason.clone())),
        super::Fact::Known { value, .. } if value.len() == recipe.instructions.len() => {
            read(goal, layout, value)
        }
        super::Fact::Known { .. } => Err(ComposeFault::Malformed),
    }
}

fn read(goal: &SourceGoal, layout: Layout, made: &[Made]) -> Result<Composed, ComposeFault> {
    let (fix, tree) = match (&goal.fix, &made[layout.fix]) {
        (Some(FixSource::Commits(_)), Made::Commit { id, tree })
        | (Some(FixSource::Head(_)), Made::Unchanged { id, tree }) => (id.clone(), tree.clone()),
        (Some(FixSource::Commits(_)), Made::Conflict { paths }) => {
            return Err(ComposeFault::PickConflict(paths.clone()));
        }
        (Some(FixSource::Commits(_)), Made::Unchanged { .. }) => return Err(ComposeFault::NothingNew),
        (Some(FixSource::Head(_)), Made::Commit { .. } | Made::Conflict { .. }) => {
            return Err(ComposeFault::NotBased);
        }
        _ => return Err(ComposeFault::Malformed),
    };
    let (Made::Diff(diff), Made::Tag { id: candidate }) = (&made[layout.diff], &made[layout.candidate])
    else {
        return Err(ComposeFault::Malformed);
    };
    if diff.paths.is_empty() {
        return Err(ComposeFault::NothingNew);
    }
    let (production, merged) = match &made[layout.production] {
        Made::Commit { tree: other, .. } | Made::Unchanged { tree: other, .. } if *other != tree => {
            return Err(ComposeFault::OtherTree);
        }
        Made::Commit { id, .. } => (id.clone(), false),
        Made::Unchanged { id, .. } => (id.clone(), true),
        Made::Conflict { paths } => return Err(ComposeFault::MergeConflict(paths.clone())),
        _ => return Err(ComposeFault::Malformed),
    };
    let Made::Tag { id: release } = &made[layout.release] else {
        return Err(ComposeFault::Malformed);
    };
    Ok(Composed {
        fix,
        tree,
        diff: diff.clone(),
        candidate: candidate.clone(),
        production,
        release: release.clone(),
        develop: develop(layout.develop.map(|index| &made[index]))?,
        merged,
    })
}

fn develop(made: Option<&Made>) -> Result<DevelopMerge, ComposeFault> {
    match made {
        None => Ok(DevelopMerge::NoBranch),
        Some(Made::Commit { id, .. }) => Ok(DevelopMerge::Merged(id.clone())),
        Some(Made::Unchanged { .. }) => Ok(DevelopMerge::Contained),
        Some(Made::Conflict { paths }) => Ok(DevelopMerge::Conflict(paths.clone())),
        Some(_) => Err(ComposeFault::Malformed),
    }
}
