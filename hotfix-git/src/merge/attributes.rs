//! The `merge` attribute of a path, read from the `.gitattributes` files of the tree that receives the change.
//!
//! libgit2 reads attributes from the work tree only, so that in a bare repository it knows none, and it takes a custom
//! driver for a text merge without a word.

use std::collections::HashMap;

use git2::Oid;

use super::glob;
use crate::error::Error;
use crate::path::TreePath;
use crate::repo::Repo;
use crate::tree::Lookup;

const FILE: &[u8] = b".gitattributes";

/// How the content of a path is merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MergeRule {
    Text,
    Union,
    Binary,
    Custom(String),
}

/// Returns how `path` is merged in the tree `root`.
pub(super) fn merge_rule(repo: &Repo, root: Oid, path: &TreePath) -> Result<MergeRule, Error> {
    let mut macros = HashMap::from([("binary".to_owned(), MergeRule::Binary)]);
    let mut rule = MergeRule::Text;
    let folders = std::iter::once(None).chain(path.ancestors().map(Some));
    for folder in folders {
        let prefix = folder.as_ref().map_or(&b""[..], TreePath::as_bytes);
        let Some(file) = attributes_file(repo, root, prefix)? else {
            continue;
        };
        if folder.is_none() {
            collect_macros(&file, &mut macros);
        }
        let relative = &path.as_bytes()[if prefix.is_empty() { 0 } else { prefix.len() + 1 }..];
        rule = last_match(&file, relative, &macros).unwrap_or(rule);
    }
    Ok(rule)
}

fn attributes_file(repo: &Repo, root: Oid, folder: &[u8]) -> Result<Option<String>, Error> {
    match repo.look_up(root, &TreePath::join(folder, FILE))? {
        Lookup::Found(entry) if entry.mode.is_file() => {
            Ok(Some(String::from_utf8_lossy(&repo.content(entry.id)?).into_owned()))
        }
        _ => Ok(None),
    }
}

fn collect_macros(file: &str, macros: &mut HashMap<String, MergeRule>) {
    for line in file.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(name) = words.next().and_then(|word| word.strip_prefix("[attr]")) else {
            continue;
        };
        if let Some(rule) = words.rev().find_map(|word| rule_of(word, macros)) {
            macros.insert(name.to_owned(), rule);
        }
    }
}

fn last_match(file: &str, path: &[u8], macros: &HashMap<String, MergeRule>) -> Option<MergeRule> {
    let lines = file
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with('#') && !line.starts_with("[attr]"));
    lines.rev().find_map(|line| {
        let (pattern, attributes) = split_pattern(line)?;
        let rule = attributes.split_ascii_whitespace().rev().find_map(|word| rule_of(word, macros))?;
        glob::matches(pattern.as_bytes(), path).then_some(rule)
    })
}

/// Splits a line behind its pattern, which is quoted when it holds blanks.
fn split_pattern(line: &str) -> Option<(&str, &str)> {
    match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"'),
        None => line.split_once([' ', '\t']),
    }
}

fn rule_of(word: &str, macros: &HashMap<String, MergeRule>) -> Option<MergeRule> {
    match word {
        "merge" | "!merge" | "merge=text" => Some(MergeRule::Text),
        "-merge" | "merge=binary" => Some(MergeRule::Binary),
        "merge=union" => Some(MergeRule::Union),
        _ => match word.strip_prefix("merge=") {
            Some(driver) => Some(MergeRule::Custom(driver.to_owned())),
            None => macros.get(word).cloned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{MergeRule, collect_macros, last_match};

    #[test]
    fn the_last_matching_line_wins_and_macros_are_expanded() {
        let file = "[attr]generated merge=regen -diff\n# *.x merge=union\n*.lock generated\n*.png binary\n\
                    /a/*.txt merge=union\n*.md text\n\"with space.txt\" -merge\nkeep.lock !merge\n";
        let mut macros = HashMap::from([("binary".to_owned(), MergeRule::Binary)]);
        collect_macros(file, &mut macros);
        let rule = |path: &str| last_match(file, path.as_bytes(), &macros);
        assert_eq!(rule("x/Cargo.lock"), Some(MergeRule::Custom("regen".to_owned())));
        assert_eq!(rule("keep.lock"), Some(MergeRule::Text));
        assert_eq!(rule("logo.png"), Some(MergeRule::Binary));
        assert_eq!(rule("a/b.txt"), Some(MergeRule::Union));
        assert_eq!(rule("b/b.txt"), None);
        assert_eq!(rule("with space.txt"), Some(MergeRule::Binary));
        assert_eq!(rule("README.md"), None);
    }
}
