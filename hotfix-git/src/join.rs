//! Joining two lines of history: merge commits with two parents, and fast-forwards.

use git2::Oid;

use crate::error::Error;
use crate::merge::{Combined, Incoming, Moved, PathConflict, combine, combine_crossed};
use crate::object::{Draft, Person, with_newline};
use crate::repo::Repo;

/// What a merge came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Join {
    /// A new commit with two parents.
    Commit {
        /// Its id.
        id: Oid,
        /// Its tree.
        tree: Oid,
        /// Paths that changed because the other side had moved them.
        moved: Vec<Moved>,
    },
    /// The commit is contained already. Nothing was made.
    AlreadyMerged,
    /// It needs a human. Nothing was made and nothing was marked.
    Conflict(Vec<PathConflict>),
}

/// Whether a branch can be moved forward to a commit without a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastForward {
    /// The branch contains the commit.
    UpToDate,
    /// The commit contains the branch.
    Possible,
    /// Each has commits that the other has not.
    Diverged,
}

impl Repo {
    /// Merges `from` into `into` as a commit with the two as parents, even where a fast-forward would do.
    ///
    /// The same arguments give the same id; objects live in memory until [`Repo::keep`].
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoCommonHistory`], and [`Error::OldProgram`] when there are several merge bases
    /// and no git program that can merge them.
    pub fn merge(&self, into: Oid, from: Oid, message: &str, committer: &Person) -> Result<Join, Error> {
        let bases = self.merge_bases(into, from)?;
        if bases.contains(&from) {
            return Ok(Join::AlreadyMerged);
        }
        let combined = match bases.as_slice() {
            [base] => {
                let incoming = Incoming::read(self, Some(self.tree_of(*base)?), self.tree_of(from)?)?;
                combine(self, &incoming, self.tree_of(into)?)?
            }
            _ => combine_crossed(self, into, from)?,
        };
        let (tree, moved) = match combined {
            Combined::Conflict(paths) => return Ok(Join::Conflict(paths)),
            Combined::Clean { tree, moved } => (tree, moved),
        };
        let who = committer.signature()?;
        let message = with_newline(message);
        let parents = [into, from];
        let id = self.make_commit(&Draft {
            tree,
            parents: &parents,
            author: &who,
            committer: &who,
            message: &message,
        })?;
        Ok(Join::Commit { id, tree, moved })
    }

    /// Tells whether `branch` can be moved to `to` without a merge.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::NoCommonHistory`].
    pub fn fast_forward(&self, branch: Oid, to: Oid) -> Result<FastForward, Error> {
        let bases = self.merge_bases(branch, to)?;
        Ok(if bases.contains(&to) {
            FastForward::UpToDate
        } else if bases.contains(&branch) {
            FastForward::Possible
        } else {
            FastForward::Diverged
        })
    }

    fn merge_bases(&self, ours: Oid, theirs: Oid) -> Result<Vec<Oid>, Error> {
        for commit in [ours, theirs] {
            self.git().find_commit(commit).map_err(Error::lookup("find a commit", commit))?;
        }
        match self.git().merge_bases(ours, theirs) {
            Ok(bases) => Ok(bases.to_vec()),
            Err(none) if none.code() == git2::ErrorCode::NotFound => {
                Err(Error::NoCommonHistory { ours, theirs, shallow: self.history() })
            }
            Err(other) => Err(Error::library("look for a common ancestor")(other)),
        }
    }
}
