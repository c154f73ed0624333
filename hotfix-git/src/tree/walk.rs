//! The differences of two trees by a walk that never enters folders with equal ids.
//!
//! libgit2's own `diff_tree_to_tree` visits every file of both trees, which on a large repository takes a hundred
//! times as long.

use git2::{Oid, Tree};

use super::{Entry, EntryMode, find_entry};
use crate::error::Error;
use crate::path::TreePath;
use crate::repo::Repo;

/// A path whose entry differs between two trees. Folders never appear, only what lies in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: TreePath,
    pub(crate) old: Option<Entry>,
    pub(crate) new: Option<Entry>,
}

/// Lists what differs between `old` and `new`, sorted by path. No tree is the empty tree.
pub(crate) fn differences(repo: &Repo, old: Option<Oid>, new: Option<Oid>) -> Result<Vec<Change>, Error> {
    let mut walk = Walk { repo, changes: Vec::new() };
    walk.folders(b"", old, new)?;
    walk.changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk.changes)
}

struct Walk<'r> {
    repo: &'r Repo,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn folders(&mut self, folder: &[u8], old: Option<Oid>, new: Option<Oid>) -> Result<(), Error> {
        if old == new {
            return Ok(());
        }
        let old = old.map(|id| self.repo.tree(id)).transpose()?;
        let new = new.map(|id| self.repo.tree(id)).transpose()?;
        for entry in old.iter().flat_map(Tree::iter) {
            let counterpart = new.as_ref().and_then(|tree| find_entry(tree, entry.name_bytes()));
            self.entries(folder, entry.name_bytes(), Some(Entry::of(&entry)), counterpart)?;
        }
        for entry in new.iter().flat_map(Tree::iter) {
            if old.as_ref().is_none_or(|tree| find_entry(tree, entry.name_bytes()).is_none()) {
                self.entries(folder, entry.name_bytes(), None, Some(Entry::of(&entry)))?;
            }
        }
        Ok(())
    }

    fn entries(
        &mut self,
        folder: &[u8],
        name: &[u8],
        old: Option<Entry>,
        new: Option<Entry>,
    ) -> Result<(), Error> {
        if old == new {
            return Ok(());
        }
        let path = TreePath::join(folder, name);
        let (old_folder, old) = split_folder(old);
        let (new_folder, new) = split_folder(new);
        if old_folder.is_some() || new_folder.is_some() {
            self.folders(path.as_bytes(), old_folder, new_folder)?;
        }
        if old != new {
            self.changes.push(Change { path, old, new });
        }
        Ok(())
    }
}

fn split_folder(entry: Option<Entry>) -> (Option<Oid>, Option<Entry>) {
    match entry {
        Some(Entry { id, mode: EntryMode::Folder }) => (Some(id), None),
        other => (None, other),
    }
}
