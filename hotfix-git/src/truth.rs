//! Where the references that count are: in this repository, or on its remote. And publishing to there.

use std::collections::BTreeMap;

use git2::Oid;
use hotfix_core::model::ServiceName;

use crate::error::Error;
use crate::fence::{Mark, Move, fence_ref, read_chain};
use crate::local::{self, Batched, Swap};
use crate::pending;
use crate::push::{PushRef, Pushed};
use crate::remote::Remote;
use crate::repo::Repo;

/// The place whose references count.
#[derive(Debug)]
pub(crate) enum Truth<'r> {
    Here(&'r Repo),
    /// The remote counts; this repository follows it.
    There(Remote<'r>),
}

/// The references asked for, and the fence of a service, read together.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) refs: BTreeMap<String, Oid>,
    /// The newest mark first.
    pub(crate) marks: Vec<Mark>,
}

/// What became of an attempt to publish.
#[derive(Debug)]
pub(crate) enum Published {
    Done,
    /// A reference or the fence was somewhere else. Nothing moved.
    Stale,
    /// It cannot be done; the text says why. Nothing moved.
    Refused(String),
    /// It cannot be done now. Nothing moved.
    Unavailable(String),
    Unknown(Error),
}

impl Truth<'_> {
    pub(crate) fn repo(&self) -> &Repo {
        match self {
            Self::Here(repo) => repo,
            Self::There(remote) => remote.repo,
        }
    }

    /// Reads what the references hold, tags not peeled, and the fence with its whole chain.
    pub(crate) fn read(&self, service: &ServiceName, names: &[&str]) -> Result<Reading, Error> {
        let fence = fence_ref(service);
        let mut refs = match self {
            Self::Here(repo) => read_here(repo, names.iter().copied().chain([fence.as_str()]))?,
            Self::There(remote) => {
                let patterns: Vec<String> =
                    names.iter().map(|name| (*name).to_owned()).chain([fence.clone()]).collect();
                remote.list(&patterns)?
            }
        };
        let tip = refs.remove(&fence);
        Ok(Reading { refs, marks: self.marks(service, tip)? })
    }

    /// Reads the chain of marks below `tip`, fetching what is not here yet.
    pub(crate) fn marks(&self, service: &ServiceName, tip: Option<Oid>) -> Result<Vec<Mark>, Error> {
        let (Self::There(remote), Some(id)) = (self, tip) else {
            return read_chain(self.repo(), tip);
        };
        if remote.repo.git().find_commit(id).is_err() {
            let fence = fence_ref(service);
            remote.fetch(&[format!("+{fence}:{fence}")])?;
        }
        read_chain(remote.repo, tip)
    }

    /// Moves the references and raises the fence to `mark`, all or none.
    pub(crate) fn publish(
        &self,
        service: &ServiceName,
        moves: &[Move],
        tip: Option<Oid>,
        mark: Oid,
    ) -> Result<Published, Error> {
        let repo = self.repo();
        repo.keep()?;
        pending::note(repo, service, mark)?;
        let fence = Swap { name: fence_ref(service), old: tip, new: mark };
        let published = match self {
            Self::Here(repo) => publish_here(repo, moves, &fence),
            Self::There(remote) => publish_there(remote, moves, &fence),
        };
        if !matches!(published, Ok(Published::Unknown(_))) {
            let followed = match (self, &published) {
                (Self::There(_), Ok(Published::Done)) => {
                    local::put(repo, &fence.name, mark).and_then(|()| local::complete(repo, moves))
                }
                _ => Ok(()),
            };
            warn(service, followed.and_then(|()| pending::forget(repo, service, mark)));
        }
        published
    }

    /// Writes here what earlier batches left to be written. With a remote that is a courtesy; without one, the
    /// references are not what the fence says until it is done.
    pub(crate) fn catch_up(&self, service: &ServiceName, marks: &[Mark]) -> Result<(), Error> {
        let done = pending::catch_up(self.repo(), service, marks);
        match self {
            Self::Here(_) => done,
            Self::There(_) => {
                warn(service, done);
                Ok(())
            }
        }
    }
}

fn warn(service: &ServiceName, followed: Result<(), Error>) {
    if let Err(error) = followed {
        tracing::warn!(%service, %error, "references of this repository are behind; the next call looks again");
    }
}

fn read_here<'n>(repo: &Repo, names: impl Iterator<Item = &'n str>) -> Result<BTreeMap<String, Oid>, Error> {
    let mut refs = BTreeMap::new();
    for name in names {
        if let Some(id) = repo.raw_ref(name)? {
            refs.insert(name.to_owned(), id);
        }
    }
    Ok(refs)
}

fn publish_here(repo: &Repo, moves: &[Move], fence: &Swap) -> Result<Published, Error> {
    match local::move_refs(repo, moves, fence) {
        Ok(Batched::Moved) => Ok(Published::Done),
        Ok(Batched::Stale) => Ok(Published::Stale),
        Ok(Batched::Unfinished(error)) => Ok(Published::Unknown(error)),
        Err(later @ (Error::Locked { .. } | Error::Busy { .. })) => {
            Ok(Published::Unavailable(later.to_string()))
        }
        Err(taken @ Error::NameTaken { .. }) => Ok(Published::Refused(taken.to_string())),
        Err(other) => Err(other),
    }
}

fn publish_there(remote: &Remote<'_>, moves: &[Move], fence: &Swap) -> Result<Published, Error> {
    let changing = moves.iter().filter(|step| step.old != step.new);
    let mut refs: Vec<PushRef> = changing
        .map(|step| PushRef { name: step.name.as_str().to_owned(), old: step.old, new: step.new })
        .collect();
    refs.push(PushRef { name: fence.name.clone(), old: fence.old, new: Some(fence.new) });
    Ok(match remote.push(&refs)? {
        Pushed::Done => Published::Done,
        Pushed::Stale => Published::Stale,
        Pushed::Refused(text) => Published::Refused(text),
        Pushed::Denied(text) => Published::Refused(Error::AccessDenied { text }.to_string()),
        Pushed::NotReached(text) => Published::Unavailable(Error::Unreachable { text }.to_string()),
        Pushed::Unknown(error) => Published::Unknown(error),
    })
}
