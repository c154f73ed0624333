//! Moving references of this repository: all or none, by compare-and-swap, never under a checkout.
//!
//! libgit2 locks all references of a transaction first but writes them one by one. So the fence is raised while the
//! locks are held and before the others are written: from then on the batch counts as applied, and [`complete`]
//! writes what a crash left out, because the mark says what was meant.

use git2::{ErrorCode, Oid, Signature, Time, Transaction};

use crate::error::{Error, History};
use crate::fence::Move;
use crate::repo::Repo;
use crate::turn::{Turn, lock_file};

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
    let turn = Turn::take(repo)?;
    let mut transaction = repo.git().transaction().map_err(Error::library("begin to move references"))?;
    for step in moves.iter().filter(|step| step.old.is_none()) {
        refuse_taken(repo, step.name.as_str())?;
    }
    for step in moves {
        lock(&turn, &mut transaction, step.name.as_str(), step.new)?;
    }
    for step in moves {
        if repo.raw_ref(step.name.as_str())? != step.old {
            return Ok(Batched::Stale);
        }
        stage(&mut transaction, step)?;
    }
    if swap(&turn, fence)? == Swapped::Stale {
        return Ok(Batched::Stale);
    }
    Ok(match transaction.commit() {
        Ok(()) => Batched::Moved,
        Err(source) => Batched::Unfinished(Error::Library { operation: "move references", source }),
    })
}

fn lock(
    turn: &Turn<'_>,
    transaction: &mut Transaction<'_>,
    name: &str,
    new: Option<Oid>,
) -> Result<(), Error> {
    match transaction.lock_ref(name) {
        Err(held) if held.code() == ErrorCode::Locked && turn.break_lock(name, new)? => {
            transaction.lock_ref(name)
        }
        other => other,
    }
    .map_err(|source| lock_error(turn.repo(), name, source))
}

/// References are files in folders, so none can lie below another.
fn refuse_taken(repo: &Repo, name: &str) -> Result<(), Error> {
    let taken = |taken_by: String| Error::NameTaken { name: name.to_owned(), taken_by };
    if let Some(below) = repo.list_refs(&format!("{name}/"))?.into_iter().next() {
        return Err(taken(below.name));
    }
    for (at, _) in name.match_indices('/').skip(1) {
        if repo.raw_ref(&name[..at])?.is_some() {
            return Err(taken(name[..at].to_owned()));
        }
    }
    Ok(())
}

fn lock_error(repo: &Repo, name: &str, source: git2::Error) -> Error {
    match source.code() {
        ErrorCode::Locked => Error::Locked { name: name.to_owned(), lock: lock_file(repo, name) },
        ErrorCode::InvalidSpec => Error::BadRefName { name: name.to_owned() },
        _ => Error::Library { operation: "lock a reference", source },
    }
}

fn stage(transaction: &mut Transaction<'_>, step: &Move) -> Result<(), Error> {
    let name = step.name.as_str();
    let failed = "move a reference";
    match (step.old, step.new) {
        (old, new) if old == new => Ok(()),
        (_, None) => transaction.remove(name).map_err(Error::library(failed)),
        (_, Some(new)) => {
            let who = mover()?;
            transaction.set_target(name, new, Some(&who), REFLOG).map_err(Error::library(failed))
        }
    }
}

/// Moves one reference.
fn swap(turn: &Turn<'_>, step: &Swap) -> Result<Swapped, Error> {
    let Swap { name, old, new } = step;
    let repo = turn.repo();
    let write = || match old {
        None => repo.git().reference(name, *new, false, REFLOG),
        Some(old) => repo.git().reference_matching(name, *new, true, *old, REFLOG),
    };
    let moved = match write() {
        Err(held) if held.code() == ErrorCode::Locked && turn.break_lock(name, Some(*new))? => write(),
        other => other,
    };
    match moved {
        Ok(_) => Ok(Swapped::Moved),
        Err(stale)
            if matches!(stale.code(), ErrorCode::Modified | ErrorCode::Exists | ErrorCode::NotFound) =>
        {
            Ok(Swapped::Stale)
        }
        Err(source) => Err(lock_error(repo, name, source)),
    }
}

/// Sets a reference that only this crate writes, whatever it held.
pub(crate) fn put(repo: &Repo, name: &str, new: Oid) -> Result<(), Error> {
    let turn = Turn::take(repo)?;
    let write = || repo.git().reference(name, new, true, REFLOG);
    let set = match write() {
        Err(held) if held.code() == ErrorCode::Locked && turn.break_lock(name, Some(new))? => write(),
        other => other,
    };
    set.map(|_| ()).map_err(|source| lock_error(repo, name, source))
}

/// Deletes a reference, if it still holds the value.
pub(crate) fn take_away(repo: &Repo, name: &str, old: Oid) -> Result<(), Error> {
    delete(&Turn::take(repo)?, name, Some(old))
}

/// Moves what a batch that counts as applied has not moved here yet.
///
/// A reference that holds something else than the batch expected belongs to somebody else and is left alone, and so is
/// a branch that is checked out. A branch that is merely behind is brought forward.
pub(crate) fn complete(repo: &Repo, moves: &[Move]) -> Result<(), Error> {
    let turn = Turn::take(repo)?;
    for step in moves {
        let name = step.name.as_str();
        let here = repo.raw_ref(name)?;
        if here == step.new || !may_follow(repo, here, step)? || repo.checked_out_at(name)?.is_some() {
            continue;
        }
        // Stale means that somebody moved it just now: theirs.
        match step.new {
            Some(new) => {
                swap(&turn, &Swap { name: name.to_owned(), old: here, new })?;
            }
            None => delete(&turn, name, here)?,
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

fn delete(turn: &Turn<'_>, name: &str, expected: Option<Oid>) -> Result<(), Error> {
    let failed = "delete a reference";
    let mut transaction = turn.repo().git().transaction().map_err(Error::library(failed))?;
    lock(turn, &mut transaction, name, None)?;
    if turn.repo().raw_ref(name)? == expected && expected.is_some() {
        transaction.remove(name).map_err(Error::library(failed))?;
        transaction.commit().map_err(Error::library(failed))?;
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
