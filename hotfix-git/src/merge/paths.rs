//! What becomes of one changed path, decided from its three entries alone.
//!
//! A path is only decided here when git would decide it the same way whatever else the trees hold. Everything that
//! could be part of a move, or where files and folders meet, is passed on.

use git2::Oid;

use super::attributes::merge_rule;
use super::conflict::{ConflictKind, PathConflict};
use super::content::{self, Merged, Versions};
use super::{Incoming, Receiver};
use crate::error::Error;
use crate::path::TreePath;
use crate::tree::{Change, Entry, EntryMode, Lookup};

/// What becomes of a path.
pub(super) enum Resolution {
    /// The receiving side has it already.
    Unchanged,
    /// The path gets this entry, or is deleted.
    Set(TreePath, Option<Entry>),
    Conflict(PathConflict),
    /// The path alone does not tell.
    PassOn(Doubt),
}

/// Why a path alone does not tell what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The receiving side does not have the file (any more): it may have been moved.
    Gone,
    /// The change deletes a file that the receiving side changed: the change may have moved it.
    DeletedButChanged,
    /// The change adds a file to a folder that the receiving side no longer has.
    FolderGone,
    /// The change takes away a folder in which the receiving side changed something.
    FolderTaken,
    /// Both sides added the path.
    BothAdded,
    /// Links, submodules, files and folders meet.
    KindsDiffer,
}

pub(super) fn resolve(
    incoming: &Incoming,
    receiver: &Receiver<'_>,
    change: &Change,
) -> Result<Resolution, Error> {
    let (base, theirs) = (change.old, change.new);
    let ours = match receiver.repo.look_up(receiver.tree, &change.path)? {
        Lookup::Blocked => return Ok(Resolution::PassOn(Doubt::KindsDiffer)),
        Lookup::Found(Entry { mode: EntryMode::Folder, .. }) => {
            return Ok(Resolution::PassOn(Doubt::KindsDiffer));
        }
        Lookup::Found(entry) => Some(entry),
        Lookup::Missing => None,
    };
    let doubt = match (base, ours, theirs) {
        (Some(_), None, _) => Doubt::Gone,
        (_, ours, theirs) if ours == theirs => return Ok(Resolution::Unchanged),
        (None, None, _) if folder_gone(incoming, receiver, &change.path)? => Doubt::FolderGone,
        (None, Some(_), _) => Doubt::BothAdded,
        (Some(_), Some(_), None) if base != ours => Doubt::DeletedButChanged,
        (Some(_), Some(_), None) if folder_taken(incoming, receiver, &change.path)? => Doubt::FolderTaken,
        (Some(base), Some(ours), Some(theirs)) if base != ours => {
            return three_way(receiver, &change.path, [base, ours, theirs]);
        }
        (None, None, _) | (Some(_), Some(_), _) => return Ok(Resolution::Set(change.path.clone(), theirs)),
    };
    Ok(Resolution::PassOn(doubt))
}

/// Merges an entry that all three sides have and at least two sides changed.
pub(super) fn three_way(
    receiver: &Receiver<'_>,
    path: &TreePath,
    sides: [Entry; 3],
) -> Result<Resolution, Error> {
    let [base, ours, theirs] = sides;
    if !sides.iter().all(|entry| entry.mode.is_file()) {
        return Ok(Resolution::PassOn(Doubt::KindsDiffer));
    }
    let mode = if base.mode == ours.mode { theirs.mode } else { ours.mode };
    let rule = merge_rule(receiver.repo, receiver.tree, path)?;
    let versions = Versions { base: base.id, ours: ours.id, theirs: theirs.id };
    Ok(match content::merge(receiver.repo, &rule, versions)? {
        Merged::Clean(id) if (Entry { id, mode }) == ours => Resolution::Unchanged,
        Merged::Clean(id) => Resolution::Set(path.clone(), Some(Entry { id, mode })),
        Merged::Conflict(kind, hunks) => Resolution::Conflict(PathConflict {
            path: path.clone(),
            kind,
            base: Some(base),
            ours: Some(ours),
            theirs: Some(theirs),
            hunks,
        }),
    })
}

/// Returns whether a folder of the path exists in the base but not on the receiving side: it may have been moved.
fn folder_gone(incoming: &Incoming, receiver: &Receiver<'_>, path: &TreePath) -> Result<bool, Error> {
    let Some(base) = incoming.base else {
        return Ok(false);
    };
    for folder in path.ancestors() {
        if receiver.folder(receiver.tree, &folder)?.is_none() {
            return Ok(receiver.folder(base, &folder)?.is_some());
        }
    }
    Ok(false)
}

/// Returns whether the change takes away a folder of the path which the receiving side changed: what was added there
/// may belong to where the folder went.
fn folder_taken(incoming: &Incoming, receiver: &Receiver<'_>, path: &TreePath) -> Result<bool, Error> {
    let Some(base) = incoming.base else {
        return Ok(false);
    };
    for folder in path.ancestors() {
        if receiver.folder(incoming.theirs, &folder)?.is_none() {
            return Ok(receiver.folder(base, &folder)? != receiver.folder(receiver.tree, &folder)?);
        }
    }
    Ok(false)
}

impl Receiver<'_> {
    fn folder(&self, root: Oid, path: &TreePath) -> Result<Option<Oid>, Error> {
        Ok(match self.repo.look_up(root, path)? {
            Lookup::Found(Entry { id, mode: EntryMode::Folder }) => Some(id),
            _ => None,
        })
    }
}

impl Doubt {
    /// Names the conflict when nothing can tell what becomes of the path.
    pub(super) fn conflict(self, change: &Change, ours: Option<Entry>) -> PathConflict {
        let kind = match (self, change.new, ours) {
            (Self::Gone, Some(_), _) | (Self::DeletedButChanged, _, _) => ConflictKind::ModifyDelete,
            (Self::Gone, None, _) => ConflictKind::NeedsGit,
            (Self::FolderGone | Self::FolderTaken, _, _) => ConflictKind::FolderMoved,
            (Self::BothAdded, _, _) => ConflictKind::BothAdded,
            (Self::KindsDiffer, _, None) => ConflictKind::FileFolder,
            (Self::KindsDiffer, _, Some(entry)) if entry.mode == EntryMode::Submodule => {
                ConflictKind::Submodule
            }
            (Self::KindsDiffer, _, Some(_)) => ConflictKind::Kinds,
        };
        PathConflict {
            path: change.path.clone(),
            kind,
            base: change.old,
            ours,
            theirs: change.new,
            hunks: Vec::new(),
        }
    }
}
