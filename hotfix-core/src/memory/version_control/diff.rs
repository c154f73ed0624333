//! How many lines differ between two trees.

use std::collections::BTreeSet;

use super::objects::Tree;
use crate::port::{ChangedPath, DiffSize};

pub(super) fn diff(from: &Tree, to: &Tree) -> DiffSize {
    let paths: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let changed = paths.into_iter().filter(|path| from.get(*path) != to.get(*path));
    let paths = changed.map(|path| {
        let lines = |tree: &Tree| tree.get(path).map(|text| text.lines().map(str::to_owned).collect());
        let (old, new): (Vec<String>, Vec<String>) =
            (lines(from).unwrap_or_default(), lines(to).unwrap_or_default());
        let kept = longest_common(&old, &new);
        ChangedPath { path: path.clone(), added: count(new.len() - kept), removed: count(old.len() - kept) }
    });
    DiffSize { paths: paths.collect() }
}

/// Returns the length of the longest common subsequence.
fn longest_common(old: &[String], new: &[String]) -> usize {
    let mut row = vec![0; new.len() + 1];
    for line in old {
        let mut diagonal = 0;
        for (column, other) in new.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = if line == other { diagonal + 1 } else { above.max(row[column]) };
            diagonal = above;
        }
    }
    row[new.len()]
}

fn count(lines: usize) -> u32 {
    u32::try_from(lines).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_by_the_shortest_edit() {
        let tree = |content: &str| Tree::from([("f".to_owned(), content.to_owned())]);
        let size = |from: &Tree, to: &Tree| {
            let sizes = diff(from, to).paths;
            sizes.iter().map(|path| (path.added, path.removed)).collect::<Vec<_>>()
        };
        assert_eq!(size(&tree("a\nb\nc\n"), &tree("a\nx\nc\nd\n")), [(2, 1)]);
        assert_eq!(size(&tree("a\n"), &tree("a\n")), []);
        assert_eq!(size(&Tree::new(), &tree("a\nb\n")), [(2, 0)]);
        assert_eq!(size(&tree("a\nb\n"), &Tree::new()), [(0, 2)]);
    }
}
