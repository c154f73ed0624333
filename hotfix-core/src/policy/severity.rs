//! What each severity means and asks for.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::invalid::Faults;
use crate::model::{Period, Severity};
use crate::request::Strategy;

/// The rules of all severities. A row that is left out keeps its default; within a row every cell can be set alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeverityTable {
    /// All or most users down, data loss, security.
    #[serde(deserialize_with = "super::severity_defaults::p0")]
    pub p0: SeverityRules,
    /// Many users degraded.
    #[serde(deserialize_with = "super::severity_defaults::p1")]
    pub p1: SeverityRules,
    /// Few users, or a workaround exists.
    #[serde(deserialize_with = "super::severity_defaults::p2")]
    pub p2: SeverityRules,
    /// Cosmetic or internal.
    #[serde(deserialize_with = "super::severity_defaults::p3")]
    pub p3: SeverityRules,
}

impl SeverityTable {
    /// Returns the rules of a severity.
    #[must_use]
    pub const fn of(&self, severity: Severity) -> &SeverityRules {
        match severity {
            Severity::P0 => &self.p0,
            Severity::P1 => &self.p1,
            Severity::P2 => &self.p2,
            Severity::P3 => &self.p3,
        }
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        for severity in Severity::ALL {
            self.of(severity).check(&format!("severities.{}", severity.as_str().to_lowercase()), faults);
        }
    }
}

/// What one severity means and asks for. Business hours and days are written as plain time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeverityRules {
    /// What it means, for people.
    pub meaning: String,
    /// How soon somebody acknowledges.
    pub acknowledge_within: Period,
    /// How soon the fix is live, counted from the report.
    pub deploy_within: Period,
    /// Who is paged at once; nobody: a ticket is enough.
    pub page: BTreeSet<Audience>,
    /// After which times without acknowledgement the next level is called, rising.
    pub escalate_after: Vec<Period>,
    /// How soon the first post inside is out.
    pub first_post_within: Period,
    /// How soon the first public post is out; absent: not at all, or when somebody asks for it.
    #[serde(with = "super::or_none")]
    pub first_public_post_within: Option<Period>,
    /// How often an update is posted inside.
    pub update_every: Period,
    /// How often an update is posted publicly; absent: on change or never.
    #[serde(with = "super::or_none")]
    pub public_update_every: Option<Period>,
    /// Who has to agree to a deploy.
    pub approvals: ApprovalRule,
    /// Whether and when the incident is reviewed.
    pub review: Review,
    /// By when the most important action items are done; absent: best effort.
    #[serde(with = "super::or_none")]
    pub actions_within: Option<Period>,
    /// How production is changed unless the request says otherwise.
    pub strategy: Strategy,
    /// The rules that yield to a reason (`break_glass` of the request).
    pub yields: BTreeSet<Rule>,
}

impl SeverityRules {
    fn check(&self, at: &str, faults: &mut Faults) {
        for (field, period) in [
            ("acknowledge_within", Some(self.acknowledge_within)),
            ("deploy_within", Some(self.deploy_within)),
            ("first_post_within", Some(self.first_post_within)),
            ("first_public_post_within", self.first_public_post_within),
            ("update_every", Some(self.update_every)),
            ("public_update_every", self.public_update_every),
            ("actions_within", self.actions_within),
        ] {
            faults.not_zero(&format!("{at}.{field}"), period.unwrap_or(Period::from_secs(1)));
        }
        if self.acknowledge_within > self.deploy_within {
            let allowed = "periods up to deploy_within of the same severity";
            faults.add(&format!("{at}.acknowledge_within"), self.acknowledge_within, allowed);
        }
        if !self.escalate_after.windows(2).all(|pair| pair[0] < pair[1]) {
            let times: Vec<_> = self.escalate_after.iter().map(ToString::to_string).collect();
            faults.add(&format!("{at}.escalate_after"), format!("[{}]", times.join(", ")), "rising periods");
        }
        match self.approvals {
            ApprovalRule::Needed { count: 0 } => faults.add(&format!("{at}.approvals.count"), 0, "1 or more"),
            ApprovalRule::Waived { review_within } => {
                faults.not_zero(&format!("{at}.approvals.review_within"), review_within);
            }
            ApprovalRule::Needed { .. } | ApprovalRule::Normal => {}
        }
        match self.review {
            Review::Mandatory { draft_within, due_within } if draft_within > due_within => {
                faults.add(&format!("{at}.review.draft_within"), draft_within, "periods up to due_within");
            }
            Review::Mandatory { due_within, .. } | Review::Optional { due_within } => {
                faults.not_zero(&format!("{at}.review.due_within"), due_within);
            }
            Review::None => {}
        }
    }
}

/// Who is paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Audience {
    /// The primary on-call.
    Primary,
    /// The incident commander.
    Commander,
    /// Who speaks to customers.
    Communications,
    /// The executives, informed and not paged.
    Executives,
}

/// Who has to agree to a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule", deny_unknown_fields)]
pub enum ApprovalRule {
    /// Nobody beforehand, when the request carries a reason; somebody else reviews afterwards. Without a reason one
    /// approval is needed.
    Waived {
        /// How soon afterwards.
        review_within: Period,
    },
    /// That many different people, none of them the one who asks.
    Needed {
        /// How many.
        count: u8,
    },
    /// The review that every change gets; nothing is counted here.
    Normal,
}

/// Whether and when an incident is reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule", deny_unknown_fields)]
pub enum Review {
    /// It is.
    Mandatory {
        /// How soon a draft exists.
        draft_within: Period,
        /// By when it is done.
        due_within: Period,
    },
    /// It may be.
    Optional {
        /// By when it is done, if it is.
        due_within: Period,
    },
    /// It is not.
    None,
}

/// A rule that can yield to a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// Staging comes first.
    StagingFirst,
    /// A fix is small and leaves some paths alone.
    MinimalChange,
    /// Nothing is deployed in a freeze window.
    Freeze,
    /// Approvals come first. Yields where the severity waives them.
    Approvals,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StagingFirst => "staging comes first",
            Self::MinimalChange => "a fix is minimal",
            Self::Freeze => "nothing is deployed in a freeze window",
            Self::Approvals => "approvals come first",
        })
    }
}
