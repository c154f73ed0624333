//! Between the port's values and libgit2's.

use git2::Oid;
use hotfix_core::model::ObjectId;
use hotfix_core::port;

use crate::merge::{ConflictKind, PathConflict};
use crate::size::{Lines, PathSize};
use crate::tree::Entry;

pub(crate) fn oid(id: &ObjectId) -> Option<Oid> {
    Oid::from_str(id.as_str()).ok()
}

pub(crate) fn object_id(id: Oid) -> ObjectId {
    ObjectId::new(id.to_string()).expect("libgit2 prints forty lower-case hex digits")
}

pub(crate) fn conflict_path(conflict: &PathConflict) -> port::ConflictPath {
    let blob = |side: Option<Entry>| side.map(|entry| object_id(entry.id));
    port::ConflictPath {
        path: conflict.path.to_string(),
        kind: conflict_kind(conflict),
        blobs: [blob(conflict.base), blob(conflict.ours), blob(conflict.theirs)],
    }
}

fn conflict_kind(conflict: &PathConflict) -> port::ConflictKind {
    match &conflict.kind {
        ConflictKind::ModifyDelete | ConflictKind::Move | ConflictKind::NeedsGit => {
            port::ConflictKind::ModifyDelete
        }
        ConflictKind::BothAdded => port::ConflictKind::BothAdded,
        ConflictKind::Kinds if same_type(conflict) => port::ConflictKind::Mode,
        ConflictKind::Kinds | ConflictKind::FileFolder | ConflictKind::Submodule => port::ConflictKind::Type,
        ConflictKind::AmbiguousMove { .. } => port::ConflictKind::AmbiguousRename,
        ConflictKind::FolderMoved => port::ConflictKind::FileLocation,
        ConflictKind::Binary => port::ConflictKind::Binary,
        ConflictKind::CustomDriver { .. } => port::ConflictKind::MergeDriver,
        ConflictKind::Content | ConflictKind::Other => port::ConflictKind::Content,
    }
}

fn same_type(conflict: &PathConflict) -> bool {
    [conflict.ours, conflict.theirs].iter().all(|side| side.is_some_and(|entry| entry.mode.is_file()))
}

pub(crate) fn changed_path(size: &PathSize) -> port::ChangedPath {
    let (added, removed) = match size.lines {
        Lines::Text { added, removed } => (added, removed),
        Lines::Binary | Lines::Submodule => (0, 0),
    };
    port::ChangedPath { path: size.path.to_string(), added, removed }
}
