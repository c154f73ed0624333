//! A set of edits to a tree, written bottom up so that only the folders on the edited paths are made anew.

use std::collections::BTreeMap;

use git2::Oid;

use super::{Entry, EntryMode, find_entry};
use crate::error::Error;
use crate::path::TreePath;
use crate::repo::Repo;

/// Edits by path. Setting a path below a file replaces the file by a folder, and the other way round: whoever makes the
/// edits has checked that this is meant.
#[derive(Debug, Default)]
pub(crate) struct TreeEdits {
    root: Folder,
}

type Folder = BTreeMap<Vec<u8>, Edit>;

/// What happens to one name: `set` replaces its entry, unless something is put below it.
#[derive(Debug, Default)]
struct Edit {
    set: Option<Option<Entry>>,
    inside: Folder,
}

impl TreeEdits {
    /// Puts an entry at a path, or takes away what is there.
    pub(crate) fn set(&mut self, path: &TreePath, entry: Option<Entry>) {
        let mut folder = &mut self.root;
        for ancestor in path.ancestors() {
            folder = &mut folder.entry(ancestor.file_name().to_vec()).or_default().inside;
        }
        folder.entry(path.file_name().to_vec()).or_default().set = Some(entry);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// Returns the tree that results from the edits on `base`. Folders left empty vanish.
    pub(crate) fn apply(&self, repo: &Repo, base: Oid) -> Result<Oid, Error> {
        match edit_folder(repo, Some(base), &self.root)? {
            Some(tree) => Ok(tree),
            None => repo.empty_tree(),
        }
    }
}

fn edit_folder(repo: &Repo, base: Option<Oid>, edits: &Folder) -> Result<Option<Oid>, Error> {
    let failed = "make a tree";
    let base = base.map(|id| repo.tree(id)).transpose()?;
    let mut builder = repo.git().treebuilder(base.as_ref()).map_err(Error::library(failed))?;
    for (name, edit) in edits {
        let before = base.as_ref().and_then(|tree| find_entry(tree, name));
        match after(repo, before, edit)? {
            Some(entry) => {
                builder
                    .insert(name.as_slice(), entry.id, entry.mode.bits())
                    .map_err(Error::library(failed))?;
            }
            None if before.is_some() => builder.remove(name.as_slice()).map_err(Error::library(failed))?,
            None => {}
        }
    }
    if builder.is_empty() {
        return Ok(None);
    }
    let id = builder.write().map_err(Error::library(failed))?;
    Ok(Some(repo.drafted(id)))
}

fn after(repo: &Repo, before: Option<Entry>, edit: &Edit) -> Result<Option<Entry>, Error> {
    if let Some(Some(entry)) = edit.set {
        // A file that takes the place of a folder: what the folder held goes with it.
        return Ok(Some(entry));
    }
    if edit.inside.is_empty() {
        return Ok(None);
    }
    let folder = before.filter(|entry| entry.mode == EntryMode::Folder).map(|entry| entry.id);
    let id = edit_folder(repo, folder, &edit.inside)?;
    Ok(id.map(|id| Entry { id, mode: EntryMode::Folder }))
}
