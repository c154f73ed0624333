//! Branches, tags, and who writes commits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::invalid::Faults;
use crate::model::{BranchName, InvalidValue, IssueKey, TagName, Version};
use crate::port::Identity;

/// How the repository is laid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourcePolicy {
    /// The branch that holds what production runs.
    pub production: BranchName,
    /// The branch that the next release grows on; the fix is merged into it too. Absent: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub develop: Option<BranchName>,
    /// What stands before the version in a release tag.
    pub tag_prefix: String,
    /// How hotfix branches are named.
    pub branch: BranchTemplate,
    /// Committer of merges and tagger of tags.
    pub identity: Identity,
}

impl Default for SourcePolicy {
    fn default() -> Self {
        Self {
            production: BranchName::new("main").expect("a plain word is a branch name"),
            develop: None,
            tag_prefix: "v".to_owned(),
            branch: BranchTemplate("hotfix/{version}".into()),
            identity: Identity { name: "hotfix".to_owned(), email: "hotfix@localhost".to_owned() },
        }
    }
}

impl SourcePolicy {
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.develop.as_ref() == Some(&self.production) {
            faults.add("source.develop", &self.production, "branches other than source.production");
        }
        if TagName::new(format!("{}1.2.3-rc.1", self.tag_prefix)).is_err() {
            let allowed = "texts that make a tag name with a version behind them, such as v";
            faults.add("source.tag_prefix", format!("{:?}", self.tag_prefix), allowed);
        }
        let unfit = |text: &str| text.trim().is_empty() || text.contains(['<', '>', '\n', '\0']);
        if unfit(&self.identity.name) {
            faults.add(
                "source.identity.name",
                format!("{:?}", self.identity.name),
                "one line without < and >",
            );
        }
        if unfit(&self.identity.email) {
            faults.add(
                "source.identity.email",
                format!("{:?}", self.identity.email),
                "one line without < and >",
            );
        }
    }

    /// Returns the tag of a version.
    ///
    /// # Errors
    /// [`InvalidValue`] when the version makes the name too long for git.
    pub fn tag(&self, version: &Version) -> Result<TagName, InvalidValue> {
        TagName::new(format!("{}{version}", self.tag_prefix))
    }
}

/// A pattern for branch names with `{version}`, `{issue}` or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchTemplate(Box<str>);

impl BranchTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// [`InvalidValue`] when it names neither, or gives no branch name.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let template = Self(text.into());
        let sample = template.fill("1.2.3", "KEY-1");
        let varies = template.names_version() || text.contains("{issue}");
        if varies && !sample.contains(['{', '}']) && BranchName::new(&sample).is_ok() {
            Ok(template)
        } else {
            let allowed = "branch names with {version} or {issue}, such as hotfix/{version}";
            Err(InvalidValue::new("branch template", text, allowed))
        }
    }

    /// Returns whether the name depends on the version, and so on the tags of the repository.
    #[must_use]
    pub fn names_version(&self) -> bool {
        self.0.contains("{version}")
    }

    /// Returns the branch of a hotfix.
    ///
    /// # Errors
    /// [`InvalidValue`] when the issue key does not fit into a branch name (`a:b`, `x..y`).
    pub fn branch(&self, version: &Version, issue: &IssueKey) -> Result<BranchName, InvalidValue> {
        BranchName::new(self.fill(&version.to_string(), issue.as_str()))
    }

    fn fill(&self, version: &str, issue: &str) -> String {
        self.0.replace("{version}", version).replace("{issue}", issue)
    }
}

impl fmt::Display for BranchTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BranchTemplate {
    type Err = InvalidValue;
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

impl TryFrom<String> for BranchTemplate {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::new(&text)
    }
}

impl From<BranchTemplate> for String {
    fn from(template: BranchTemplate) -> Self {
        template.0.into()
    }
}
