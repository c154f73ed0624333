//! Notes, in this repository, of marks whose references may still have to be written here.
//!
//! A note is a reference that is made before a batch is published and taken away when all its references stand. So a
//! crash anywhere in between leaves exactly what the next caller has to look at.

use git2::Oid;
use hotfix_core::model::{ServiceName, Stamp};

use crate::error::Error;
use crate::fence::{Mark, read_mark};
use crate::local;
use crate::repo::Repo;

fn note_ref(service: &ServiceName, mark: Oid) -> String {
    format!("{}{mark}", note_prefix(service))
}

fn note_prefix(service: &ServiceName) -> String {
    format!("refs/hotfix/pending/{service}/")
}

/// Notes that the mark is about to be published.
pub(crate) fn note(repo: &Repo, service: &ServiceName, mark: Oid) -> Result<(), Error> {
    local::put(repo, &note_ref(service, mark), mark)
}

/// Takes the note away: the references stand, or never will.
pub(crate) fn forget(repo: &Repo, service: &ServiceName, mark: Oid) -> Result<(), Error> {
    local::take_away(repo, &note_ref(service, mark), mark)
}

/// Writes the references of noted marks that the chain has, and forgets those that it can never have any more.
pub(crate) fn catch_up(repo: &Repo, service: &ServiceName, marks: &[Mark]) -> Result<(), Error> {
    let current = marks.first().map_or(Stamp::ZERO, |mark| mark.stamp);
    for noted in repo.list_refs(&note_prefix(service))? {
        match marks.iter().find(|mark| mark.id == noted.id) {
            Some(mark) => local::complete(repo, mark.act.moves())?,
            None if read_mark(repo, noted.id).is_ok_and(|(mark, _)| mark.stamp > current) => continue,
            None => {}
        }
        forget(repo, service, noted.id)?;
    }
    Ok(())
}
