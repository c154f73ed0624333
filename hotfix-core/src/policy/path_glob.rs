//! Patterns for paths: `*` within a component, `**` across components, `?` for one character; at any depth.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::InvalidValue;

/// A pattern that is matched against a path from every folder on: `Cargo.lock` matches `a/b/Cargo.lock`, and
/// `.github/**` matches `x/.github/workflows/ci.yml`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathGlob(Box<str>);

impl PathGlob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`InvalidValue`] for an empty component, `.`, `..`, or `**` beside other characters.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let fits = |part: &str| {
            !matches!(part, "" | "." | "..") && (part == "**" || !part.contains("**")) && !part.contains('\\')
        };
        if text.split('/').all(fits) && text.split('/').any(|part| part != "**") {
            Ok(Self(text.into()))
        } else {
            let allowed = "relative paths with / between names, * and ? in a name, ** as a name";
            Err(InvalidValue::new("path pattern", text, allowed))
        }
    }

    /// Returns whether the path, relative to the root of the tree, is meant.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let pattern: Vec<&str> = self.0.split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        (0..path.len()).any(|start| components(&pattern, &path[start..]))
    }
}

fn components(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        // A trailing `**` means something below; elsewhere it may also stand for no folder at all.
        (Some((&"**", [])), _) => !path.is_empty(),
        (Some((&"**", rest)), _) => (0..=path.len()).any(|skip| components(rest, &path[skip..])),
        (Some((name, pattern)), Some((part, path))) => {
            let (name, part): (Vec<char>, Vec<char>) = (name.chars().collect(), part.chars().collect());
            component(&name, &part) && components(pattern, path)
        }
        _ => false,
    }
}

/// Matches one name in time linear in its length per star, whatever the pattern.
fn component(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            n = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PathGlob {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::new(&text)
    }
}

impl From<PathGlob> for String {
    fn from(glob: PathGlob) -> Self {
        glob.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_at_any_depth() {
        for (pattern, path, expected) in [
            ("Cargo.lock", "Cargo.lock", true),
            ("Cargo.lock", "a/b/Cargo.lock", true),
            ("Cargo.lock", "a/Cargo.lock/b", false),
            ("Cargo.lock", "Cargo.locked", false),
            ("*.lock", "web/yarn.lock", true),
            (".github/**", ".github/workflows/ci.yml", true),
            (".github/**", "x/.github/a", true),
            (".github/**", ".github", false),
            ("migrations/**", "db/migrations/0001.sql", true),
            ("migrations/**", "db/my-migrations/0001.sql", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a?c*e", "abcde", true),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(PathGlob::new(pattern).unwrap().matches(path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for bad in ["", "/a", "a//b", "a/", "../a", "a**", "**", "a\\b"] {
            let error = PathGlob::new(bad).unwrap_err();
            assert_eq!(error.what(), "path pattern", "{bad:?}");
        }
    }
}
