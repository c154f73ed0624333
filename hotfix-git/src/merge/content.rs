//! Merging the content of one file three ways, and where the lines meet when that fails.

use std::ops::Range;

use git2::{MergeFileInput, MergeFileOptions, ObjectType, Oid, Patch};

use super::attributes::MergeRule;
use super::conflict::{ConflictKind, Hunk};
use crate::error::Error;
use crate::repo::Repo;

/// Git looks for a zero byte in this many bytes to tell binary files from text.
const BINARY_WINDOW: usize = 8000;

pub(super) enum Merged {
    Clean(Oid),
    Conflict(ConflictKind, Vec<Hunk>),
}

/// The blobs of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Versions {
    pub(super) base: Oid,
    pub(super) ours: Oid,
    pub(super) theirs: Oid,
}

/// Merges three versions of which all differ or two are equal.
pub(super) fn merge(repo: &Repo, rule: &MergeRule, versions: Versions) -> Result<Merged, Error> {
    let Versions { base, ours, theirs } = versions;
    if ours == theirs || base == theirs {
        return Ok(Merged::Clean(ours));
    }
    if base == ours {
        return Ok(Merged::Clean(theirs));
    }
    if let MergeRule::Custom(driver) = rule {
        return Ok(Merged::Conflict(ConflictKind::CustomDriver { driver: driver.clone() }, Vec::new()));
    }
    let [base, ours, theirs] = [repo.content(base)?, repo.content(ours)?, repo.content(theirs)?];
    if *rule == MergeRule::Binary || [&base, &ours, &theirs].into_iter().any(|content| is_binary(content)) {
        return Ok(Merged::Conflict(ConflictKind::Binary, Vec::new()));
    }
    match merge_text(rule, &base, &ours, &theirs)? {
        Some(text) => Ok(Merged::Clean(repo.write(ObjectType::Blob, &text)?)),
        None => Ok(Merged::Conflict(ConflictKind::Content, meeting_lines(&base, &ours, &theirs)?)),
    }
}

fn merge_text(rule: &MergeRule, base: &[u8], ours: &[u8], theirs: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let [base, ours, theirs] = [base, ours, theirs].map(|content| {
        let mut input = MergeFileInput::new();
        input.content(content);
        input
    });
    let mut options = MergeFileOptions::new();
    if *rule == MergeRule::Union {
        options.favor(git2::FileFavor::Union);
    }
    let result = git2::merge_file(&base, &ours, &theirs, Some(&mut options))
        .map_err(Error::library("merge a file's content"))?;
    Ok(result.is_automergeable().then(|| result.content().to_vec()))
}

pub(crate) fn is_binary(content: &[u8]) -> bool {
    content.iter().take(BINARY_WINDOW).any(|byte| *byte == 0)
}

/// A changed region: lines of the base, and the lines they became.
#[derive(Clone, Debug)]
struct Region {
    base: Range<u32>,
    new: Range<u32>,
}

fn meeting_lines(base: &[u8], ours: &[u8], theirs: &[u8]) -> Result<Vec<Hunk>, Error> {
    let ours = regions(base, ours)?;
    let theirs = regions(base, theirs)?;
    let mut hunks: Vec<Hunk> = Vec::new();
    for our in &ours {
        for their in theirs.iter().filter(|their| touch(&our.base, &their.base)) {
            let found =
                Hunk { base: hull(&our.base, &their.base), ours: our.new.clone(), theirs: their.new.clone() };
            match hunks.last_mut().filter(|last| touch(&last.base, &found.base)) {
                Some(last) => last.extend(&found),
                None => hunks.push(found),
            }
        }
    }
    Ok(hunks)
}

impl Hunk {
    fn extend(&mut self, other: &Self) {
        self.base = hull(&self.base, &other.base);
        self.ours = hull(&self.ours, &other.ours);
        self.theirs = hull(&self.theirs, &other.theirs);
    }
}

fn touch(a: &Range<u32>, b: &Range<u32>) -> bool {
    a.start <= b.end && b.start <= a.end
}

fn hull(a: &Range<u32>, b: &Range<u32>) -> Range<u32> {
    a.start.min(b.start)..a.end.max(b.end)
}

fn regions(old: &[u8], new: &[u8]) -> Result<Vec<Region>, Error> {
    let failed = "compare two versions of a file";
    let mut options = git2::DiffOptions::new();
    options.context_lines(0);
    let patch =
        Patch::from_buffers(old, None, new, None, Some(&mut options)).map_err(Error::library(failed))?;
    let hunks = (0..patch.num_hunks()).map(|index| patch.hunk(index));
    hunks
        .map(|hunk| {
            let (hunk, _) = hunk.map_err(Error::library(failed))?;
            Ok(Region {
                base: zero_based(hunk.old_start(), hunk.old_lines()),
                new: zero_based(hunk.new_start(), hunk.new_lines()),
            })
        })
        .collect()
}

/// A diff counts lines from 1, and names the line before an insertion.
fn zero_based(start: u32, lines: u32) -> Range<u32> {
    let start = if lines == 0 { start } else { start.saturating_sub(1) };
    start..start + lines
}
