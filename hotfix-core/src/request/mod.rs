//! Stage 1: what is asked for. A request that makes no sense cannot be built.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{
    ArtifactId, BranchName, ImageReference, InvalidValue, IssueKey, Period, ServiceName, Severity, TagName,
    Target, Timestamp, Version,
};

/// One request, for one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The issue it resolves.
    pub issue: IssueKey,
    /// What is broken, in one line. Comes from outside.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The service.
    pub service: ServiceName,
    /// Who asks.
    pub requested_by: String,
    /// What is asked for.
    pub goal: Goal,
    /// Who agreed, so far.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// Why rules may be broken, for those that yield to an emergency. Recorded and told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
    /// Whether a backend is used that cannot keep stale requests out by itself.
    #[serde(default)]
    pub unfenced: Unfenced,
}

impl Goal {
    /// Puts an earlier release back, at once.
    #[must_use]
    pub const fn rollback(target: Target, to: RollbackTo) -> Self {
        Self::Rollback { target, to, because: None, ask: None }
    }
}

impl Request {
    /// Builds a request without approvals, without a reason to break rules, and only for fenced backends.
    #[must_use]
    pub fn new(
        issue: IssueKey,
        title: impl Into<String>,
        severity: Severity,
        service: ServiceName,
        requested_by: impl Into<String>,
        goal: Goal,
    ) -> Self {
        Self {
            issue,
            title: title.into(),
            severity,
            service,
            requested_by: requested_by.into(),
            goal,
            approvals: Vec::new(),
            break_glass: None,
            unfenced: Unfenced::Refuse,
        }
    }
}

/// Whether a backend is used that does not compare stamps (see [`Fence`](crate::port::Fence)): a request that was
/// delayed on its way can then still be applied after a rollback.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfenced {
    /// It is not.
    #[default]
    Refuse,
    /// It is, knowingly.
    Accept,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "goal")]
pub enum Goal {
    /// Make a hotfix branch, and nothing else.
    Create {
        /// Where it starts; the newest production release if not named.
        from: Option<TagName>,
    },
    /// Take a fix from commits to live, merged back and tagged.
    Deploy {
        /// The fix.
        fix: Fix,
        /// Where it starts; the newest production release if not named.
        from: Option<TagName>,
        /// What is deployed, when it is not the tree itself.
        image: Option<ImageReference>,
        /// How production is changed; the policy's choice if not named.
        strategy: Option<Strategy>,
        /// Whether staging comes first.
        staging: Staging,
    },
    /// Put an earlier release back.
    Rollback {
        /// Where.
        target: Target,
        /// What to.
        to: RollbackTo,
        /// Why, in one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
        /// Waits at most so long for somebody's agreement before anything is changed; `None`: does not ask.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<Period>,
    },
    /// Watch what is live for a while, by the rules of the policy, and change nothing.
    Watch {
        /// Where.
        target: Target,
        /// For how long.
        lasting: Period,
    },
}

/// Where the fix is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fix {
    /// These commits, picked onto a fresh hotfix branch in this order.
    Commits(Vec<Revision>),
    /// A hotfix branch that has them already.
    Branch(BranchName),
}

/// Whether staging comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Staging {
    /// It does.
    #[default]
    First,
    /// It is skipped, where the policy allows that for the severity.
    Skip,
}

/// How a workload is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All traffic at once.
    Direct,
    /// Instance by instance, with a gate after each batch.
    Rolling,
    /// A complete second side, then one switch.
    BlueGreen,
    /// A growing share of the traffic, judged at each step.
    Canary,
}

impl Strategy {
    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Rolling => "rolling",
            Self::BlueGreen => "blue-green",
            Self::Canary => "canary",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Strategy {
    type Err = InvalidValue;
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "direct" => Ok(Self::Direct),
            "rolling" => Ok(Self::Rolling),
            "blue-green" | "blue_green" => Ok(Self::BlueGreen),
            "canary" => Ok(Self::Canary),
            _ => Err(InvalidValue::new("strategy", text, "direct, rolling, blue-green, canary")),
        }
    }
}

/// What to go back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackTo {
    /// The release that was last proven healthy and is not what is live.
    LastKnownGood,
    /// A version by number.
    Version(Version),
    /// Exactly these bytes, which must have been proven healthy before.
    Artifact(ArtifactId),
}

/// Somebody's agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A revision as git understands it, safe to hand to a program: not empty, no leading dash, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revision(Box<str>);

impl Revision {
    /// Parses a revision.
    ///
    /// # Errors
    /// [`InvalidValue`] naming the text.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let fine = |c: char| !c.is_control() && c != ' ';
        if text.is_empty() || text.starts_with('-') || text.len() > 256 || !text.chars().all(fine) {
            return Err(InvalidValue::new(
                "revision",
                text,
                "commit ids, branches and tags, up to 256 characters",
            ));
        }
        Ok(Self(text.into()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Revision {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::new(&text)
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> Self {
        revision.0.into()
    }
}
