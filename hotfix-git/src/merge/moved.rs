//! Finding where a file went that the receiving side no longer has under its old path.
//!
//! Git looks at every file that was added; here only those with the same content or the same name and similar content
//! are looked at, which decides nearly every real case. What is not clear-cut is left to git, except that more than one
//! place is reported: git would pick one of them without a word.

use std::collections::HashMap;

use git2::Oid;

use super::Receiver;
use crate::error::Error;
use crate::path::TreePath;
use crate::tree::{Entry, differences};

/// Git takes half of the content for the same file. Its estimate and ours differ by a few percent, so the cases in
/// between are left to git.
const SURELY_SAME_PERCENT: usize = 60;
const SURELY_DIFFERENT_PERCENT: usize = 40;

/// Git cuts lines into pieces of at most this many bytes when it compares content.
const PIECE: usize = 64;

/// Where a file is on the receiving side.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    At(TreePath, Entry),
    Several(Vec<TreePath>),
    Unclear,
}

/// The files which the receiving side has and the base has not.
#[derive(Debug)]
pub(super) struct Newcomers {
    files: Vec<(TreePath, Entry)>,
}

impl Newcomers {
    pub(super) fn of(receiver: &Receiver<'_>, base: Option<Oid>) -> Result<Self, Error> {
        let changes = differences(receiver.repo, base, Some(receiver.tree))?;
        let added = changes.into_iter().filter(|change| change.old.is_none());
        let files =
            added.filter_map(|change| Some((change.path, change.new.filter(|entry| entry.mode.is_file())?)));
        Ok(Self { files: files.collect() })
    }

    /// Looks for the file that was at `path` with the entry `base`.
    pub(super) fn find(
        &self,
        receiver: &Receiver<'_>,
        path: &TreePath,
        base: Entry,
    ) -> Result<Whereabouts, Error> {
        let content = receiver.repo.content(base.id)?;
        if content.is_empty() {
            return Ok(Whereabouts::Unclear);
        }
        let mut places = Vec::new();
        for (place, entry) in &self.files {
            if entry.id == base.id {
                places.push((place.clone(), *entry));
            } else if place.file_name() == path.file_name() {
                match similarity(&content, &receiver.repo.content(entry.id)?) {
                    percent if percent >= SURELY_SAME_PERCENT => places.push((place.clone(), *entry)),
                    percent if percent > SURELY_DIFFERENT_PERCENT => return Ok(Whereabouts::Unclear),
                    _ => {}
                }
            }
        }
        Ok(match places.as_slice() {
            [] => Whereabouts::Unclear,
            [(place, entry)] => Whereabouts::At(place.clone(), *entry),
            _ => Whereabouts::Several(places.into_iter().map(|(place, _)| place).collect()),
        })
    }
}

/// Returns how much of the larger content the two have in common, in percent of its bytes.
fn similarity(a: &[u8], b: &[u8]) -> usize {
    let mut pieces: HashMap<&[u8], usize> = HashMap::new();
    for piece in split_pieces(a) {
        *pieces.entry(piece).or_default() += 1;
    }
    let mut common = 0;
    for piece in split_pieces(b) {
        if let Some(left) = pieces.get_mut(piece).filter(|left| **left > 0) {
            *left -= 1;
            common += piece.len();
        }
    }
    (common * 100).checked_div(a.len().max(b.len())).unwrap_or(0)
}

fn split_pieces(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(PIECE))
}

#[cfg(test)]
mod tests {
    use super::similarity;

    #[test]
    fn similarity_is_the_share_of_common_lines() {
        assert_eq!(similarity(b"a\nb\nc\nd\n", b"a\nb\nc\nd\n"), 100);
        assert_eq!(similarity(b"a\nb\nc\nd\n", b"d\nb\nx\ny\n"), 50);
        assert_eq!(similarity(b"a\na\n", b"a\n"), 50);
        assert_eq!(similarity(b"a\n", b""), 0);
    }
}
