//! One file of a commit: reading it, and replacing its contents in a commit on top.

use git2::{ObjectType, Oid};

use crate::error::Error;
use crate::object::{Draft, Person, with_newline};
use crate::path::TreePath;
use crate::repo::Repo;
use crate::tree::{Entry, Lookup, TreeEdits};

/// What replacing a file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// A new commit.
    Commit(Oid),
    /// It has these contents already.
    Unchanged,
    /// There is no file.
    Missing,
    /// There is something else than a file.
    Other,
}

impl Repo {
    /// Returns the text of a file of a commit; `None` when there is nothing at the path.
    pub(crate) fn read_file(&self, commit: Oid, path: &TreePath) -> Result<Option<String>, Error> {
        match self.look_up(self.tree_of(commit)?, path)? {
            Lookup::Missing => Ok(None),
            Lookup::Found(entry) if entry.mode.is_file() => {
                let text = String::from_utf8(self.content(entry.id)?);
                text.map(Some).map_err(|_| Error::NotText { path: path.to_string(), commit })
            }
            Lookup::Found(_) | Lookup::Blocked => Err(Error::NotAFile { path: path.to_string(), commit }),
        }
    }

    /// Makes a commit on top of `onto` in which a file has other contents and the same mode. Objects live in memory
    /// until [`Repo::keep`].
    pub(crate) fn replace_file(
        &self,
        onto: Oid,
        path: &TreePath,
        contents: &str,
        message: &str,
        who: &Person,
    ) -> Result<Replaced, Error> {
        let base = self.tree_of(onto)?;
        let entry = match self.look_up(base, path)? {
            Lookup::Found(entry) if entry.mode.is_file() => entry,
            Lookup::Found(_) | Lookup::Blocked => return Ok(Replaced::Other),
            Lookup::Missing => return Ok(Replaced::Missing),
        };
        let id = self.write(ObjectType::Blob, contents.as_bytes())?;
        if id == entry.id {
            return Ok(Replaced::Unchanged);
        }
        let mut edits = TreeEdits::default();
        edits.set(path, Some(Entry { id, mode: entry.mode }));
        let tree = edits.apply(self, base)?;
        let (who, message) = (who.signature()?, with_newline(message));
        let parents = [onto];
        let draft = Draft { tree, parents: &parents, author: &who, committer: &who, message: &message };
        self.make_commit(&draft).map(Replaced::Commit)
    }
}
