//! Trees by id: entries, lookup, the differences of two trees, and edits.

mod edit;
mod walk;

use git2::{ObjectType, Oid, Tree, TreeEntry};

pub(crate) use self::edit::TreeEdits;
pub(crate) use self::walk::{Change, differences};
use crate::error::Error;
use crate::path::TreePath;
use crate::repo::Repo;

/// What a path holds in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object: a blob, a tree, or the commit of a submodule.
    pub id: Oid,
    /// What the object is used as.
    pub mode: EntryMode,
}

/// What an entry of a tree is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryMode {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A file that may be executed.
    Executable,
    /// A symbolic link.
    Link,
    /// The commit of another repository.
    Submodule,
}

impl EntryMode {
    pub(crate) fn from_bits(bits: i32) -> Self {
        match bits & 0o170_000 {
            0o040_000 => Self::Folder,
            0o120_000 => Self::Link,
            0o160_000 => Self::Submodule,
            _ if bits & 0o100 != 0 => Self::Executable,
            _ => Self::File,
        }
    }

    pub(crate) fn bits(self) -> i32 {
        match self {
            Self::Folder => 0o040_000,
            Self::File => 0o100_644,
            Self::Executable => 0o100_755,
            Self::Link => 0o120_000,
            Self::Submodule => 0o160_000,
        }
    }

    /// Returns whether the entry holds text or bytes that can be merged.
    #[must_use]
    pub fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }
}

impl Entry {
    pub(crate) fn of(entry: &TreeEntry<'_>) -> Self {
        Self { id: entry.id(), mode: EntryMode::from_bits(entry.filemode()) }
    }
}

/// Where a path leads in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Found(Entry),
    Missing,
    /// A file lies where one of the path's folders should be.
    Blocked,
}

impl Repo {
    pub(crate) fn tree(&self, id: Oid) -> Result<Tree<'_>, Error> {
        self.git().find_tree(id).map_err(Error::lookup("read a tree", id))
    }

    pub(crate) fn tree_of(&self, commit: Oid) -> Result<Oid, Error> {
        let commit = self.git().find_commit(commit).map_err(Error::lookup("read a commit", commit))?;
        Ok(commit.tree_id())
    }

    pub(crate) fn content(&self, id: Oid) -> Result<Vec<u8>, Error> {
        let odb = self.git().odb().map_err(Error::library("open the object database"))?;
        let blob = odb.read(id).map_err(Error::lookup("read a file's content", id))?;
        if blob.kind() != ObjectType::Blob {
            return Err(Error::WrongKind { name: id.to_string(), wanted: "blob", found: blob.kind().str() });
        }
        Ok(blob.data().to_vec())
    }

    /// Follows `path` from the tree `root`.
    pub(crate) fn look_up(&self, root: Oid, path: &TreePath) -> Result<Lookup, Error> {
        let mut at = Entry { id: root, mode: EntryMode::Folder };
        for name in path.components() {
            if at.mode != EntryMode::Folder {
                return Ok(Lookup::Blocked);
            }
            match find_entry(&self.tree(at.id)?, name) {
                Some(entry) => at = entry,
                None => return Ok(Lookup::Missing),
            }
        }
        Ok(Lookup::Found(at))
    }
}

fn find_entry(tree: &Tree<'_>, name: &[u8]) -> Option<Entry> {
    tree.get_name_bytes(name).map(|entry| Entry::of(&entry))
}
