//! Names and ids of git objects, valid by construction.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidValue;
use super::ids::id_type;

fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The rules of `git check-ref-format`, for a name with or without `refs/`.
fn is_ref_path(text: &str) -> bool {
    let forbidden = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let component = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    text.len() <= 244
        && !text.starts_with('-')
        && !text.ends_with('.')
        && text != "@"
        && !text.contains("..")
        && !text.contains("@{")
        && !text.chars().any(forbidden)
        && text.split('/').all(component)
}

id_type!(
    /// The id of a git object, in full and in lower case: 40 (SHA-1) or 64 (SHA-256) hex digits.
    ObjectId, "object id", "40 or 64 lower-case hex digits", is_object_id
);

impl ObjectId {
    /// Returns the first twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.as_str()[..12]
    }
}

id_type!(
    /// A branch by its short name, such as `hotfix/2.1.1`.
    BranchName, "branch name", "what `git check-ref-format --branch` takes", is_ref_path
);
id_type!(
    /// A tag by its short name, such as `v2.1.0`.
    TagName, "tag name", "what `git check-ref-format` takes below refs/tags/", is_ref_path
);

/// A full reference name, always below `refs/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefName(std::sync::Arc<str>);

impl RefName {
    /// Parses a full name.
    ///
    /// # Errors
    /// [`InvalidValue`] when the text is not a full reference name.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        if text.starts_with("refs/") && is_ref_path(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidValue::new("reference name", text, "full names below refs/ as git takes them"))
        }
    }

    /// Returns `refs/heads/<branch>`.
    #[must_use]
    pub fn branch(branch: &BranchName) -> Self {
        Self(format!("refs/heads/{branch}").into())
    }

    /// Returns `refs/tags/<tag>`.
    #[must_use]
    pub fn tag(tag: &TagName) -> Self {
        Self(format!("refs/tags/{tag}").into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the reference is a tag: tags are created, never moved and never deleted.
    #[must_use]
    pub fn is_tag(&self) -> bool {
        self.0.starts_with("refs/tags/")
    }

    /// Returns the name without `refs/heads/` or `refs/tags/`, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.strip_prefix("refs/heads/").or_else(|| self.0.strip_prefix("refs/tags/")).unwrap_or(&self.0)
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RefName {
    type Err = InvalidValue;
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

impl TryFrom<String> for RefName {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::new(&text)
    }
}

impl From<RefName> for String {
    fn from(name: RefName) -> Self {
        (*name.0).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_names_follow_git() {
        for bad in [
            "a..b", "a b", ".a", "a/.b", "a.lock", "a/", "/a", "a//b", "a@{1}", "-a", "@", "a\u{7}", "a:b",
            "",
        ] {
            assert!(BranchName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["main", "hotfix/2.1.1", "hotfix/ENG-1234-fix-auth-bypass", "release-1.x"] {
            assert_eq!(BranchName::new(good).unwrap().as_str(), good);
        }
        assert!(RefName::new("heads/main").is_err());
        assert_eq!(RefName::branch(&BranchName::new("main").unwrap()).as_str(), "refs/heads/main");
    }

    #[test]
    fn object_ids_are_full_and_lower_case() {
        assert!(ObjectId::new("abc").is_err());
        assert!(ObjectId::new("A".repeat(40)).is_err());
        assert_eq!(
            ObjectId::new("0123456789abcdef0123456789abcdef01234567").unwrap().short(),
            "0123456789ab"
        );
    }
}
