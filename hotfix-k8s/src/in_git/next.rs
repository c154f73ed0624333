//! What brings a verb one step further: a patch of the marks, a commit, or nothing any more.

use hotfix_core::model::{Artifact, ImageReference, Release, SlotName, Verb, VerbName, WorkloadSnapshot};
use json_patch::PatchOperation;

use super::kept::Kept;
use super::marks::{Marks, Staged, Stand};
use super::place::{Problem, Unwritable};
use super::sight::InGitSight;
use super::written::Written;
use crate::change::set_at;
use crate::names::{self, annotation};
use crate::release::Unnamed;
use crate::slot::Side;
use crate::steps;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// Change the marks; more is to be done.
    Mark(Vec<PatchOperation>),
    /// Have the file name an image.
    Commit(Wanted),
    /// Look again a little later: the owner has not applied what the file names.
    Wait,
    /// Change the marks, and the verb is done.
    Finish(Vec<PatchOperation>),
}

/// What the file is to name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) written: Written,
    /// What it may name instead.
    pub(crate) instead_of: Vec<Written>,
    pub(crate) release: Release,
}

/// Why a verb is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0} is not offered where a release is written in git")]
    NotOffered(VerbName),
    #[error(
        "{file} names {written}, and {deployment} has {image}; wait until its owner has applied the file, or correct it"
    )]
    Ahead { file: String, written: String, deployment: String, image: String },
    #[error(transparent)]
    Step(#[from] steps::Refused),
    #[error(transparent)]
    Unnamed(#[from] Unnamed),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// Returns the next step of a verb whose rules were checked.
pub(crate) fn next(sight: &InGitSight, verb: &Verb, file: &str) -> Result<Next, Refused> {
    match verb {
        Verb::Stage { slot, release, .. } => stage(sight, side(sight, slot)?, release, file),
        Verb::Shift { .. } => Ok(Next::Finish(Vec::new())),
        Verb::Promote { slot } => {
            let live = side(sight, slot)?;
            Ok(Next::Finish(marked(sight, |marks| marks.live = live)))
        }
        Verb::Retire { slot } => {
            let side = side(sight, slot)?;
            Ok(Next::Finish(marked(sight, |marks| {
                marks.slots.remove(&side);
            })))
        }
        Verb::Restore { snapshot } => restore(sight, snapshot, file),
        Verb::Pause | Verb::Resume => Err(Refused::NotOffered(verb.name())),
    }
}

fn side(sight: &InGitSight, slot: &SlotName) -> Result<Side, Refused> {
    let known = format!("{}, {}", sight.slots.main, sight.slots.hotfix);
    let unknown = || hotfix_core::model::VerbRefusal::UnknownSlot { slot: slot.clone(), known };
    sight.slots.side(slot).ok_or_else(|| Refused::Step(steps::Refused::Rule(unknown())))
}

/// The patch that changes the marks; nothing when there are none.
fn marked(sight: &InGitSight, change: impl FnOnce(&mut Marks)) -> Vec<PatchOperation> {
    if !sight.is_marked {
        return Vec::new();
    }
    let mut marks = sight.view.marks.clone();
    change(&mut marks);
    set_marks(sight, &marks)
}

fn set_marks(sight: &InGitSight, marks: &Marks) -> Vec<PatchOperation> {
    set_at(&sight.object.value, annotation(names::IN_GIT), Some(marks.text().into()))
}

/// The image of a release in the scalars of the file.
fn wanted(sight: &InGitSight, release: &Release, file: &str) -> Result<Written, Refused> {
    let image = image(release)?;
    sight.committed.written.of(image).map_err(|_| {
        let problem = Problem::NoTag(image.to_string());
        Unwritable { file: file.to_owned(), place: "what names the image".to_owned(), problem }.into()
    })
}

fn image(release: &Release) -> Result<&ImageReference, Refused> {
    match &release.artifact {
        Artifact::Image(image) => Ok(image),
        Artifact::Tree(_) => Err(steps::Refused::NotAnImage(release.artifact.id().to_string()).into()),
    }
}

/// The slot is marked as meant, the file names its release, and it holds it.
fn stage(sight: &InGitSight, side: Side, release: &Release, file: &str) -> Result<Next, Refused> {
    let (live, marks) = (sight.live(), &sight.view.marks);
    if side == live {
        return Ok(Next::Finish(Vec::new()));
    }
    let written = wanted(sight, release, file)?;
    let held = sight.held(live)?.ok_or_else(|| steps::Refused::NotAnImage("nothing is live".to_owned()))?;
    let Some(before) = sight.live_written() else {
        return Err(Refused::Ahead {
            file: file.to_owned(),
            written: sight.committed.written.to_string(),
            deployment: sight.reference().to_string(),
            image: sight.view.image.clone(),
        });
    };
    let is_meant = |staged: &Staged| staged.release == *release && staged.written == written;
    if !marks.slots.get(&side).is_some_and(is_meant) {
        let of_live = Staged { release: held.release, written: before, stand: Stand::Held };
        let meant = Staged { release: release.clone(), written, stand: Stand::Meant };
        let slots = [(live, of_live), (side, meant)].into();
        return Ok(Next::Mark(set_marks(sight, &Marks { slots, ..marks.clone() })));
    }
    if sight.committed.written != written {
        let wanted = Wanted { written, instead_of: vec![before], release: release.clone() };
        return Ok(Next::Commit(wanted));
    }
    Ok(Next::Finish(marked(sight, |marks| {
        if let Some(staged) = marks.slots.get_mut(&side) {
            staged.stand = Stand::Held;
        }
    })))
}

/// The file names the release of the snapshot as it did, and its owner has applied that.
fn restore(sight: &InGitSight, snapshot: &WorkloadSnapshot, file: &str) -> Result<Next, Refused> {
    let side = side(sight, &snapshot.slot)?;
    let kept = Kept::read(snapshot).map_err(steps::Refused::Snapshot)?;
    let written = match kept {
        Some(kept) if kept.written.is_like(&sight.committed.written) => kept.written,
        _ => wanted(sight, &snapshot.release, file)?,
    };
    if sight.committed.written != written {
        let given = sight.view.marks.slots.values().map(|staged| staged.written.clone());
        // What runs is what the caller compared with what it expects.
        let applied = sight.is_applied().then(|| sight.committed.written.clone());
        let instead_of = given.chain(applied).collect();
        return Ok(Next::Commit(Wanted { written, instead_of, release: snapshot.release.clone() }));
    }
    if !sight.is_applied() || !sight.is_observed() {
        return Ok(Next::Wait);
    }
    let staged = Staged { release: snapshot.release.clone(), written, stand: Stand::Held };
    let marks = Marks { live: side, slots: [(side, staged)].into(), ..sight.view.marks.clone() };
    Ok(Next::Finish(set_marks(sight, &marks)))
}
