//! Cherry-picking without a checkout: the commit appears in the object database, and nothing else changes.

use git2::{Oid, Signature};

use crate::error::Error;
use crate::merge::{Combined, Incoming, Moved, PathConflict, combine};
use crate::message::with_origin;
use crate::object::{Draft, Person};
use crate::repo::Repo;

/// A commit to pick, read once for any number of branches.
pub struct Fix {
    commit: Oid,
    incoming: Incoming,
    author: Signature<'static>,
    message: String,
}

/// Which parent of the picked commit its change is measured against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mainline {
    /// The only parent. A merge commit is refused.
    #[default]
    Only,
    /// The parent with this number, counted from 1, of a merge commit.
    Parent(usize),
}

/// What a pick came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// A new commit.
    Commit {
        /// Its id.
        id: Oid,
        /// Its tree.
        tree: Oid,
        /// Files that were found at another path and changed there.
        moved: Vec<Moved>,
    },
    /// Every change of the commit is there already. Nothing was made.
    AlreadyApplied,
    /// The commit changes nothing at all. Nothing was made.
    NothingToDo,
    /// It needs a human. Nothing was made and nothing was marked.
    Conflict(Vec<PathConflict>),
}

impl Repo {
    /// Reads a commit for picking.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::MainlineNeeded`] for a merge commit, [`Error::NoSuchMainline`], and
    /// [`Error::MessageEncoding`] when its message is not UTF-8.
    pub fn read_fix(&self, commit: Oid, mainline: Mainline) -> Result<Fix, Error> {
        let found =
            self.git().find_commit(commit).map_err(Error::lookup("read the commit to pick", commit))?;
        let parents = found.parent_count();
        let parent = match mainline {
            Mainline::Only if parents > 1 => return Err(Error::MainlineNeeded { commit, parents }),
            Mainline::Only => found.parent_id(0).ok(),
            Mainline::Parent(mainline) if parents < 2 || mainline == 0 || mainline > parents => {
                return Err(Error::NoSuchMainline { commit, parents, mainline });
            }
            Mainline::Parent(mainline) => found.parent_id(mainline - 1).ok(),
        };
        let base = parent.map(|parent| self.tree_of(parent)).transpose()?;
        let incoming = Incoming::read(self, base, found.tree_id())?;
        let message = str::from_utf8(found.message_raw_bytes())
            .map_err(|_| Error::MessageEncoding { commit })?
            .to_owned();
        Ok(Fix { commit, incoming, author: found.author().to_owned(), message })
    }

    /// Applies the change of a commit to another and commits the result there: author and author date are kept, the
    /// message names the picked commit, the committer is the one given.
    ///
    /// The same arguments give the same id. The objects live in memory until [`Repo::keep`], except where git itself
    /// had to merge.
    ///
    /// # Errors
    /// [`Error::NotFound`] when `onto` is no commit. A conflict is an answer.
    pub fn pick(&self, fix: &Fix, onto: Oid, committer: &Person) -> Result<Pick, Error> {
        if fix.incoming.changes.is_empty() {
            return Ok(Pick::NothingToDo);
        }
        let ours = self.tree_of(onto)?;
        let (tree, moved) = match combine(self, &fix.incoming, ours)? {
            Combined::Conflict(paths) => return Ok(Pick::Conflict(paths)),
            Combined::Clean { tree, .. } if tree == ours => return Ok(Pick::AlreadyApplied),
            Combined::Clean { tree, moved } => (tree, moved),
        };
        let id = self.make_commit(&Draft {
            tree,
            parents: &[onto],
            author: &fix.author,
            committer: &committer.signature()?,
            message: &with_origin(&fix.message, fix.commit),
        })?;
        Ok(Pick::Commit { id, tree, moved })
    }
}

impl Fix {
    /// Returns the commit's id.
    #[must_use]
    pub fn commit(&self) -> Oid {
        self.commit
    }
}

impl std::fmt::Debug for Fix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let paths: Vec<_> = self.incoming.changes.iter().map(|change| &change.path).collect();
        f.debug_struct("Fix").field("commit", &self.commit).field("paths", &paths).finish_non_exhaustive()
    }
}
