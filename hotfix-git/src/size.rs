//! How large a change is: the measure of an emergency fix before it goes anywhere.

use git2::{Oid, Patch};

use crate::error::Error;
use crate::merge::is_binary;
use crate::path::TreePath;
use crate::repo::Repo;
use crate::tree::{Change, Entry, EntryMode, differences};

/// A path that differs between two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathSize {
    /// The path.
    pub path: TreePath,
    /// What differs.
    pub lines: Lines,
}

/// What differs in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// A text, by lines.
    Text {
        /// Lines added.
        added: u32,
        /// Lines removed.
        removed: u32,
    },
    /// Bytes that are no text.
    Binary,
    /// The commit of a submodule.
    Submodule,
}

impl Repo {
    /// Measures what differs between two commits, sorted by path. A moved file counts as removed and added.
    ///
    /// # Errors
    /// [`Error::NotFound`] when one of them is no commit.
    pub fn change_size(&self, from: Oid, to: Oid) -> Result<Vec<PathSize>, Error> {
        let changes = differences(self, Some(self.tree_of(from)?), Some(self.tree_of(to)?))?;
        changes.into_iter().map(|change| self.measure(change)).collect()
    }

    fn measure(&self, change: Change) -> Result<PathSize, Error> {
        let sides = [change.old, change.new];
        if sides.into_iter().flatten().any(|entry| entry.mode == EntryMode::Submodule) {
            return Ok(PathSize { path: change.path, lines: Lines::Submodule });
        }
        let [old, new] = sides.map(|side| self.text_of(side));
        let (old, new) = (old?, new?);
        if is_binary(&old) || is_binary(&new) {
            return Ok(PathSize { path: change.path, lines: Lines::Binary });
        }
        let failed = "count changed lines";
        let patch = Patch::from_buffers(&old, None, &new, None, None).map_err(Error::library(failed))?;
        let (_, added, removed) = patch.line_stats().map_err(Error::library(failed))?;
        let lines = Lines::Text { added: count(added), removed: count(removed) };
        Ok(PathSize { path: change.path, lines })
    }

    fn text_of(&self, entry: Option<Entry>) -> Result<Vec<u8>, Error> {
        entry.map_or_else(|| Ok(Vec::new()), |entry| self.content(entry.id))
    }
}

fn count(lines: usize) -> u32 {
    u32::try_from(lines).unwrap_or(u32::MAX)
}
