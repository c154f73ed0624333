//! Where the references that count are: in this repository, or on its remote. And publishing to there.

use std::collections::BTreeMap;

use git2::Oid;
use hotfix_core::model::ServiceName;

use crate::error::Error;
use crate::fence::{Mark, Move, done_ref, fence_ref, read_chain};
use crate::local::{self, Batched, Swap};
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
        self.repo().keep()?;
        match self {
            Self::Here(repo) => {
                publish_here(repo, service, moves, &Swap { name: fence_ref(service), old: tip, new: mark })
            }
            Self::There(remote) => publish_there(remote, service, moves, tip, mark),
        }
    }

    /// Moves in this repository what the mark says and a crash, or another machine, left out.
    pub(crate) fn follow(&self, service: &ServiceName, marks: &[Mark], mark: &Mark) -> Result<(), Error> {
        let done = self.repo().raw_ref(&done_ref(service))?;
        let newer_or_same = marks.iter().take_while(|other| other.id != mark.id).chain([mark]);
        if newer_or_same.map(|mark| mark.id).any(|id| Some(id) == done) {
            return Ok(());
        }
        settle(self.repo(), service, mark.act.moves(), mark.id)
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

/// Moves the references here, then notes that this was done.
fn settle(repo: &Repo, service: &ServiceName, moves: &[Move], mark: Oid) -> Result<(), Error> {
    local::complete(repo, moves)?;
    local::put(repo, &[done_ref(service)], mark)
}

fn publish_here(
    repo: &Repo,
    service: &ServiceName,
    moves: &[Move],
    fence: &Swap,
) -> Result<Published, Error> {
    match local::move_refs(repo, moves, fence) {
        Ok(Batched::Moved) => {}
        Ok(Batched::Stale) => return Ok(Published::Stale),
        Ok(Batched::Unfinished(error)) => return Ok(Published::Unknown(error)),
        Err(later @ (Error::Locked { .. } | Error::Busy { .. })) => {
            return Ok(Published::Unavailable(later.to_string()));
        }
        Err(taken @ Error::NameTaken { .. }) => return Ok(Published::Refused(taken.to_string())),
        Err(other) => return Err(other),
    }
    // The references have moved. That this was not noted costs the next caller a look at them.
    if let Err(error) = local::put(repo, &[done_ref(service)], fence.new) {
        tracing::warn!(%service, %error, "could not note that references were moved");
    }
    Ok(Published::Done)
}

fn publish_there(
    remote: &Remote<'_>,
    service: &ServiceName,
    moves: &[Move],
    tip: Option<Oid>,
    mark: Oid,
) -> Result<Published, Error> {
    let changing = moves.iter().filter(|step| step.old != step.new);
    let mut refs: Vec<PushRef> = changing
        .map(|step| PushRef { name: step.name.as_str().to_owned(), old: step.old, new: step.new })
        .collect();
    refs.push(PushRef { name: fence_ref(service), old: tip, new: Some(mark) });
    match remote.push(&refs)? {
        Pushed::Done => {}
        Pushed::Stale => return Ok(Published::Stale),
        Pushed::Refused(text) => return Ok(Published::Refused(text)),
        Pushed::Denied(text) => return Ok(Published::Refused(Error::AccessDenied { text }.to_string())),
        Pushed::NotReached(text) => {
            return Ok(Published::Unavailable(Error::Unreachable { text }.to_string()));
        }
        Pushed::Unknown(error) => return Ok(Published::Unknown(error)),
    }
    // The remote has it, which is what counts. What fails here is made up for by the next look at the fence.
    let followed = local::put(remote.repo, &[fence_ref(service)], mark)
        .and_then(|()| settle(remote.repo, service, moves, mark));
    if let Err(error) = followed {
        tracing::warn!(%service, %error, "pushed, but could not move the references of this repository");
    }
    Ok(Published::Done)
}
