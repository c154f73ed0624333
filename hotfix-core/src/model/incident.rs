//! The human side of a hotfix: a first incident with its timeline.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{IncidentId, IssueKey, RunId, Severity, Timestamp};

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IncidentStatus {
    /// It is known and open.
    Declared,
    /// A fix is being rolled out.
    Mitigating,
    /// A fix is live and proven.
    Mitigated,
    /// It is over.
    Resolved,
}

impl fmt::Display for IncidentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Declared => "declared",
            Self::Mitigating => "mitigating",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
        })
    }
}

/// An incident: opened or joined by a run, one open incident per issue key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// The issue it is tracked under.
    pub issue: IssueKey,
    /// What is broken, in one line. Comes from outside: escape it where it is shown.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub status: IncidentStatus,
    /// When it was opened.
    pub opened_at: Timestamp,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimelineKind {
    /// A run was started for the incident.
    Started,
    /// A step began or ended.
    Progress,
    /// A verdict was reached.
    Verdict,
    /// Somebody intervened.
    Signal,
    /// Another process took the run over.
    Takeover,
    /// A human is needed.
    Attention,
    /// The run ended.
    Ended,
}

/// One entry of an incident's timeline. Entries are appended, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEvent {
    /// When it happened.
    pub at: Timestamp,
    /// The run it comes from.
    pub run: RunId,
    /// What kind of thing happened.
    pub kind: TimelineKind,
    /// One line for people.
    pub text: String,
    /// Where the incident stands from here on, if this changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<IncidentStatus>,
}
