//! What the planner has to say: findings as data, never only a log line.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{
    Fault, ObjectId, Period, RefName, Release, Severity, SlotName, TagName, Target, Timestamp, Version,
};
use crate::policy::Rule;
use crate::port::{Basis, ConflictPath, TrafficSplit};
use crate::request::Strategy;

/// What was chosen, warned of and left to do, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The findings, in the order of the plan.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns the findings that somebody must act on after the run.
    pub fn follow_ups(&self) -> impl Iterator<Item = &Finding> {
        self.at(Level::FollowUp)
    }

    /// Returns the findings of a level, in their order.
    pub fn at(&self, level: Level) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.level() == level)
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A choice and its reason.
    Note,
    /// Something that is worse than usual.
    Warning,
    /// Something that is left to a human.
    FollowUp,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::FollowUp => "to do",
        })
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "finding")]
#[non_exhaustive]
pub enum Finding {
    /// How production is changed.
    Strategy {
        /// How.
        strategy: Strategy,
        /// Why so.
        because: StrategyChoice,
    },
    /// How large the fix is.
    Change {
        /// The release it is measured against.
        from: TagName,
        /// Files changed.
        files: u64,
        /// Lines added and removed.
        lines: u64,
    },
    /// Versions that would have come first exist already.
    VersionsTaken {
        /// Those.
        taken: Vec<Version>,
        /// The one that is used.
        version: Version,
    },
    /// Staging is not part of the plan.
    StagingSkipped {
        /// Why not.
        because: StagingSkipped,
    },
    /// A workload runs the artifact already and is only proven.
    AlreadyLive {
        /// The workload.
        target: Target,
    },
    /// A rule yields to the emergency.
    BreakGlass {
        /// The rule.
        rule: Rule,
        /// The reason given.
        reason: String,
    },
    /// Somebody other than the one who asked reviews the waived approval.
    ReviewDue {
        /// By when.
        due: Timestamp,
    },
    /// Who agreed.
    Approved {
        /// Those, in the order of the request.
        by: Vec<String>,
        /// How many were needed.
        needed: u8,
    },
    /// No approval is counted for this severity.
    NormalReview {
        /// The severity.
        severity: Severity,
    },
    /// What the rollback puts back was never proven by a run.
    FirstUse {
        /// The workload.
        target: Target,
        /// What it runs.
        release: Release,
    },
    /// Whether what the rollback puts back was proven could not be read.
    ProofUnread {
        /// The workload.
        target: Target,
        /// Why not.
        reason: String,
    },
    /// What runs now is not well; the rollback would put it back all the same.
    BaselineShort {
        /// The workload.
        target: Target,
        /// Instances ready.
        ready: u16,
        /// Instances wanted.
        replicas: u16,
        /// What is wrong with them.
        faults: Vec<Fault>,
    },
    /// What the deployer wants people to know about a workload.
    Noticed {
        /// The workload.
        target: Target,
        /// What, in a sentence of the deployer.
        notice: String,
    },
    /// A slot is not empty and is used all the same.
    SlotReplaced {
        /// The workload.
        target: Target,
        /// The slot.
        slot: SlotName,
        /// What it holds, without traffic.
        release: Release,
    },
    /// The fix does not merge into develop: the merge is left out of the plan.
    DevelopConflict {
        /// The branch.
        branch: RefName,
        /// The commit to merge.
        fix: ObjectId,
        /// Where it conflicts.
        paths: Vec<ConflictPath>,
    },
    /// Develop has the fix already.
    DevelopHasIt {
        /// The branch.
        branch: RefName,
    },
    /// References do not move together in this repository.
    PerReference,
    /// The target does not keep stale requests out, and the request accepts that.
    Unfenced,
    /// The release to go back to and when it was proven.
    Destination {
        /// The workload.
        target: Target,
        /// The release.
        release: Release,
        /// Since when it is known to be good.
        proven_at: Timestamp,
        /// How that is known.
        #[serde(default, skip_serializing_if = "Basis::is_proven")]
        basis: Basis,
    },
    /// The release to go back to is still there.
    Warm {
        /// The slot that holds it.
        slot: SlotName,
        /// Instances ready.
        ready: u16,
    },
    /// Traffic is split by somebody who is no longer at work.
    SplitEnded {
        /// The workload.
        target: Target,
        /// The split.
        weights: crate::model::Weights,
    },
    /// By when the severity wants a fix live, and whether the deadlines of the plan fit in.
    DeployTarget {
        /// The severity.
        severity: Severity,
        /// The time it allows, from the report of the incident.
        within: Period,
        /// The longest the plan can take.
        longest: Period,
    },
}

/// Why a strategy was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyChoice {
    /// The request names it.
    Requested,
    /// The policy names it for the severity.
    Policy(Severity),
    /// The policy names another one, which the deployer cannot do.
    Instead {
        /// The one it cannot do.
        of: Strategy,
        /// How it can split traffic.
        split: TrafficSplit,
    },
    /// Nothing of the live side is ready, so there is nothing to share traffic or to compare with.
    LiveIsDown {
        /// What it would have been.
        of: Strategy,
    },
}

/// Why staging is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StagingSkipped {
    /// The policy names no such environment.
    NoEnvironment,
    /// The request asks for it, and the policy lets it.
    Requested,
}

impl Finding {
    /// Returns how much it matters.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::Strategy { because: StrategyChoice::LiveIsDown { .. }, .. } => Level::Warning,
            Self::Strategy { .. }
            | Self::Change { .. }
            | Self::AlreadyLive { .. }
            | Self::Approved { .. }
            | Self::NormalReview { .. }
            | Self::DevelopHasIt { .. }
            | Self::Destination { basis: Basis::Proven, .. }
            | Self::Warm { .. }
            | Self::VersionsTaken { .. } => Level::Note,
            Self::DeployTarget { within, longest, .. } => {
                if longest.as_millis() > within.as_millis() {
                    Level::Warning
                } else {
                    Level::Note
                }
            }
            Self::StagingSkipped { .. }
            | Self::BreakGlass { .. }
            | Self::FirstUse { .. }
            | Self::ProofUnread { .. }
            | Self::BaselineShort { .. }
            | Self::Noticed { .. }
            | Self::SlotReplaced { .. }
            | Self::Destination { basis: Basis::Served | Basis::Withdrawn, .. }
            | Self::PerReference
            | Self::SplitEnded { .. }
            | Self::Unfenced => Level::Warning,
            Self::ReviewDue { .. } | Self::DevelopConflict { .. } => Level::FollowUp,
        }
    }
}
