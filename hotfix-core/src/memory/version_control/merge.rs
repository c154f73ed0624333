//! Three-way merge of trees, file by file: a file that both sides changed differently needs a human.

use std::collections::BTreeSet;

use super::objects::{Tree, blob_id};
use crate::port::{ConflictKind, ConflictPath};

/// Returns the merged tree, or every path that needs a human, in order.
pub(super) fn merge(base: &Tree, ours: &Tree, theirs: &Tree) -> Result<Tree, Vec<ConflictPath>> {
    let mut merged = Tree::new();
    let mut conflicts = Vec::new();
    let paths: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    for path in paths {
        let sides = [base.get(path), ours.get(path), theirs.get(path)];
        match merge_file(sides) {
            Ok(Some(content)) => {
                merged.insert(path.clone(), content.clone());
            }
            Ok(None) => {}
            Err(kind) => conflicts.push(conflict(path, kind, sides)),
        }
    }
    let clash = |path: &&String| merged.keys().any(|other| is_below(other, path));
    for path in merged.keys().filter(clash) {
        let sides = [base.get(path), ours.get(path), theirs.get(path)];
        conflicts.push(conflict(path, ConflictKind::Type, sides));
    }
    conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    if conflicts.is_empty() { Ok(merged) } else { Err(conflicts) }
}

type Sides<'a> = [Option<&'a String>; 3];

fn merge_file([base, ours, theirs]: Sides<'_>) -> Result<Option<&String>, ConflictKind> {
    if ours == theirs || theirs == base {
        return Ok(ours);
    }
    if ours == base {
        return Ok(theirs);
    }
    Err(match (base, ours, theirs) {
        (None, ..) => ConflictKind::BothAdded,
        (_, None, _) | (_, _, None) => ConflictKind::ModifyDelete,
        _ => ConflictKind::Content,
    })
}

/// Whether a path lies in a folder of the other's name.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn conflict(path: &str, kind: ConflictKind, sides: Sides<'_>) -> ConflictPath {
    ConflictPath {
        path: path.to_owned(),
        kind,
        blobs: sides.map(|side| side.map(|content| blob_id(content))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files.iter().map(|(path, content)| ((*path).to_owned(), (*content).to_owned())).collect()
    }

    fn kinds(base: &[(&str, &str)], ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> Vec<ConflictKind> {
        let conflicts = merge(&tree(base), &tree(ours), &tree(theirs)).unwrap_err();
        conflicts.iter().map(|conflict| conflict.kind).collect()
    }

    #[test]
    fn changes_of_one_side_and_equal_changes_are_taken() {
        let base = tree(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]);
        let ours = tree(&[("a", "2"), ("b", "1"), ("c", "3"), ("d", "1"), ("new", "x")]);
        let theirs = tree(&[("a", "1"), ("b", "2"), ("c", "3"), ("new", "x")]);
        let merged = tree(&[("a", "2"), ("b", "2"), ("c", "3"), ("new", "x")]);
        assert_eq!(merge(&base, &ours, &theirs), Ok(merged));
    }

    #[test]
    fn each_kind_of_clash_is_named() {
        assert_eq!(kinds(&[("a", "1")], &[("a", "2")], &[("a", "3")]), [ConflictKind::Content]);
        assert_eq!(kinds(&[("a", "1")], &[], &[("a", "3")]), [ConflictKind::ModifyDelete]);
        assert_eq!(kinds(&[], &[("a", "2")], &[("a", "3")]), [ConflictKind::BothAdded]);
        assert_eq!(kinds(&[], &[("a", "2")], &[("a/b", "3")]), [ConflictKind::Type]);
    }
}
