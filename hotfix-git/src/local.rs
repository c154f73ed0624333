//! Moving references of this repository: all or none, by compare-and-swap, never under a checkout.
//!
//! libgit2 locks all references of a transaction first but writes them one by one. So the fence is raised while the
//! locks are held and before the others are written: from then on the batch counts as applied, and [`complete`]
//! writes what a crash left out, because the mark says what was meant.

use git2::{ErrorCode, Oid, Signature, Time, Transaction};

use crate::error::{Error, History};
use crate::fence::Move;
use crate::repo::Repo;

const REFLOG: &str = "hotfix: move references";

/// A compare-and-swap of one reference that must exist afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Swap {
    pub(crate) name: String,
    pub(crate) old: Option<Oid>,
    pub(crate) new: Oid,
}

/// What a compare-and-swap found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swapped {
    Moved,
    /// Something else was there. Nothing moved.
    Stale,
}

/// How far a batch came.
#[derive(Debug)]
pub(crate) enum Batched {
    Moved,
    /// A reference or the fence held something else. Nothing moved.
    Stale,
    /// The fence is raised, but not every reference could be written.
    Unfinished(Error),
}

/// Raises the fence and moves the references, if all of them hold their old values.
pub(crate) fn move_refs(repo: &Repo, moves: &[Move], fence: &Swap) -> Result<Batched, Error> {
    let mut transaction = repo
        .git()
        .transaction()
        .map_err(Error::library("begin to move references"))?;
    for step in moves {
        lock(repo, &mut transaction, step.name.as_str())?;
    }
    for step in moves {
        if repo.raw_ref(step.name.as_str())? != step.old {
            return Ok(Batched::Stale);
        }
        stage(repo, &mut transaction, step)?;
    }
    if swap(repo, fence)? == Swapped::Stale {
        return Ok(Batched::Stale);
    }
    Ok(match transaction.commit() {
        Ok(()) => Batched::Moved,
        Err(source) => Batched::Unfinished(Error::Library {
            operation: "move references",
            source,
        }),
    })
}

fn lock(repo: &Repo, transaction: &mut Transaction<'_>, name: &str) -> Result<(), Error> {
    transaction
        .lock_ref(name)
        .map_err(|source| lock_error(repo, name, source))
}

fn lock_error(repo: &Repo, name: &str, source: git2::Error) -> Error {
    match source.code() {
        ErrorCode::Locked => Error::Locked {
            name: name.to_owned(),
            lock: repo.common_dir().join(format!("{name}.lock")),
        },
        ErrorCode::InvalidSpec => Error::BadRefName {
            name: name.to_owned(),
        },
        _ => Error::Library {
            operation: "lock a reference",
            source,
        },
    }
}

fn stage(repo: &Repo, transaction: &mut Transaction<'_>, step: &Move) -> Result<(), Error> {
    let name = step.name.as_str();
    let failed = "move a reference";
    match (step.old, step.new) {
        (old, new) if old == new => Ok(()),
        (_, None) => transaction.remove(name).map_err(Error::library(failed)),
        (old, Some(new)) => {
            if old.is_none() && !repo.list_refs(&format!("{name}/"))?.is_empty() {
                return Err(Error::NameTaken {
                    name: name.to_owned(),
                });
            }
            let who = mover()?;
            transaction
                .set_target(name, new, Some(&who), REFLOG)
                .map_err(Error::library(failed))
        }
    }
}

/// Moves one reference.
pub(crate) fn swap(repo: &Repo, Swap { name, old, new }: &Swap) -> Result<Swapped, Error> {
    let moved = match old {
        None => repo.git().reference(name, *new, false, REFLOG),
        Some(old) => repo.git().reference_matching(name, *new, true, *old, REFLOG),
    };
    match moved {
        Ok(_) => Ok(Swapped::Moved),
        Err(stale)
            if matches!(
                stale.code(),
                ErrorCode::Modified | ErrorCode::Exists | ErrorCode::NotFound
            ) =>
        {
            Ok(Swapped::Stale)
        }
        Err(source) => Err(lock_error(repo, name, source)),
    }
}

/// Sets a reference that only this crate writes, whatever it held.
pub(crate) fn put(repo: &Repo, name: &str, new: Oid) -> Result<(), Error> {
    let set = repo.git().reference(name, new, true, REFLOG);
    set.map(|_| ()).map_err(|source| lock_error(repo, name, source))
}

/// Moves what a batch that counts as applied has not moved here yet.
///
/// A reference that holds something else than the batch expected belongs to somebody else and is left alone, and so is
/// a branch that is checked out. A branch that is merely behind is brought forward.
pub(crate) fn complete(repo: &Repo, moves: &[Move]) -> Result<(), Error> {
    for step in moves {
        let name = step.name.as_str();
        let here = repo.raw_ref(name)?;
        if here == step.new || !may_follow(repo, here, step)? || repo.checked_out_at(name)?.is_some() {
            continue;
        }
        // Stale means that somebody moved it just now: theirs.
        match step.new {
            Some(new) => {
                swap(
                    repo,
                    &Swap {
                        name: name.to_owned(),
                        old: here,
                        new,
                    },
                )?;
            }
            None => delete(repo, name, here)?,
        }
    }
    Ok(())
}

fn may_follow(repo: &Repo, here: Option<Oid>, step: &Move) -> Result<bool, Error> {
    if here == step.old {
        return Ok(true);
    }
    match (here, step.old, step.new) {
        (Some(here), Some(old), Some(_)) => repo.is_ancestor(here, old),
        _ => Ok(false),
    }
}

fn delete(repo: &Repo, name: &str, expected: Option<Oid>) -> Result<(), Error> {
    let mut transaction = repo
        .git()
        .transaction()
        .map_err(Error::library("begin to delete a reference"))?;
    lock(repo, &mut transaction, name)?;
    if repo.raw_ref(name)? == expected {
        transaction
            .remove(name)
            .map_err(Error::library("delete a reference"))?;
        transaction
            .commit()
            .map_err(Error::library("delete a reference"))?;
    }
    Ok(())
}

fn mover() -> Result<Signature<'static>, Error> {
    Signature::new("hotfix", "hotfix@localhost", &Time::new(0, 0))
        .map_err(Error::library("name who moves references"))
}

impl Repo {
    /// Reads what a reference holds, tags not peeled.
    pub(crate) fn raw_ref(&self, name: &str) -> Result<Option<Oid>, Error> {
        Ok(self.find_ref(name)?.map(|found| found.id))
    }

    /// Returns whether `old` is `new` or one of its ancestors. In a cut-off history the answer may be a false no.
    pub(crate) fn is_ancestor(&self, old: Oid, new: Oid) -> Result<bool, Error> {
        match self.git().graph_descendant_of(new, old) {
            Ok(descends) => Ok(descends || old == new),
            Err(missing) if missing.code() == ErrorCode::NotFound => Ok(false),
            Err(_) if self.history() == History::Shallow => Ok(false),
            Err(other) => Err(Error::library("compare two commits")(other)),
        }
    }
}
