//! Why there is no plan: typed reasons, all of them at once, each with what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::refusal_text::{Also, ConflictsIn, IgnoredList, Proven, Wanted, collect, mend};
use super::wording::{Conflicts, count, short};
use crate::model::{
    ArtifactId, Fault, ObjectId, Period, RefName, Release, ServiceName, Severity, TagName, Target, Timestamp,
    VerbName, Weights,
};
use crate::observe::SourceFault;
use crate::policy::{MinimalityBreach, Rule};
use crate::port::{Claim, ConflictPath};
use crate::request::{RollbackTo, Strategy};

/// A request for which there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Everything that stands in the way. Never empty.
    pub reasons: Vec<Refusal>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused for {}", count(self.reasons.len() as u64, "reason"))?;
        self.reasons.iter().try_for_each(|reason| write!(f, "\n  - {reason}"))
    }
}

impl std::error::Error for Refused {}

/// One reason. `Display` is one line that names the value and the mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "refusal")]
#[non_exhaustive]
pub enum Refusal {
    /// The repository does not allow it.
    #[error(transparent)]
    Source(#[from] SourceFault),
    /// The commits of the fix do not apply to the release.
    #[error(
        "the fix does not apply to {from}: {}; make it on a branch from {from} and name that branch",
        Conflicts(paths)
    )]
    PickConflict {
        /// The release.
        from: TagName,
        /// Where.
        paths: Vec<ConflictPath>,
    },
    /// The fix changes nothing.
    #[error(
        "the fix changes nothing: {from} has it already; name other commits, or another release to start from"
    )]
    FixAlreadyThere {
        /// The release.
        from: TagName,
    },
    /// The branch of the fix starts somewhere else.
    #[error("branch {} is not based on {from}; name its commits instead, they are picked onto {from}", branch.short())]
    NotBased {
        /// The branch.
        branch: RefName,
        /// The release.
        from: TagName,
    },
    /// The production branch holds something else than the release.
    #[error(
        "branch {} is at {}, which is not what {from} ({}) holds{}; merged, it would not be what was proven: release or revert what it has beyond {from} first",
        branch.short(), head.short(), commit.short(), ConflictsIn(paths)
    )]
    ProductionDiverged {
        /// The branch.
        branch: RefName,
        /// What it holds.
        head: ObjectId,
        /// The release.
        from: TagName,
        /// What the release names.
        commit: ObjectId,
        /// Where the fix conflicts with it.
        paths: Vec<ConflictPath>,
    },
    /// The hotfix branch exists and holds something else.
    #[error("branch {} exists at {}; deploy that branch, or delete it if nobody needs it", branch.short(), at.short())]
    BranchExists {
        /// The branch.
        branch: RefName,
        /// What it holds.
        at: ObjectId,
    },
    /// The fix is not minimal.
    #[error("the fix is not minimal: {breach}; {}", mend(*yields, Rule::MinimalChange))]
    NotMinimal {
        /// The rule it breaks.
        breach: MinimalityBreach,
        /// Whether the rule yields to a reason at this severity.
        yields: Yields,
    },
    /// Too few people agreed.
    #[error(
        "{severity} needs {} of people other than {requested_by:?}, {} given{}{}",
        count(u64::from(*needed), "approval"), have.len(), IgnoredList(ignored), collect(*yields)
    )]
    ApprovalsMissing {
        /// The severity.
        severity: Severity,
        /// How many are needed.
        needed: u8,
        /// Whose count.
        have: Vec<String>,
        /// Whose do not, and why.
        ignored: Vec<IgnoredApproval>,
        /// Who asks.
        requested_by: String,
        /// Whether a reason would do.
        yields: Yields,
    },
    /// Production is left alone at this time.
    #[error("{severity} is not deployed until {until}: {reason}; wait, or {}", mend(*yields, Rule::Freeze))]
    Frozen {
        /// The severity.
        severity: Severity,
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
        /// Whether the rule yields to a reason at this severity.
        yields: Yields,
    },
    /// Staging cannot be skipped.
    #[error("staging cannot be skipped for {severity} like this: {}", mend(*yields, Rule::StagingFirst))]
    StagingNotSkippable {
        /// The severity.
        severity: Severity,
        /// Whether the rule yields to a reason at this severity.
        yields: Yields,
    },
    /// Staging is sick before anything was done to it.
    #[error(
        "{target} is not healthy before the deploy ({ready} of {replicas} ready{}); mend it first",
        Also(faults)
    )]
    StagingUnhealthy {
        /// The workload.
        target: Target,
        /// Instances ready.
        ready: u16,
        /// Instances wanted.
        replicas: u16,
        /// What is wrong.
        faults: Vec<Fault>,
    },
    /// There is nothing to go back to.
    #[error("nothing is live on {target}, so there is nothing to go back to; deploy a first release there")]
    NothingLive {
        /// The workload.
        target: Target,
    },
    /// Somebody paused it.
    #[error("{target} is paused by somebody; resume it first")]
    Paused {
        /// The workload.
        target: Target,
    },
    /// There is no second side.
    #[error("{target} has no slot beside the live one; give it a second slot")]
    NoSpareSlot {
        /// The workload.
        target: Target,
    },
    /// Somebody else's rollout is under way, or was left behind.
    #[error("traffic of {target} is split ({weights}); finish that rollout or roll it back first")]
    RolloutUnderWay {
        /// The workload.
        target: Target,
        /// The split.
        weights: Weights,
    },
    /// It changed while it was being read.
    #[error(
        "{target} changed while it was read: {observed} first, then {snapshot}; plan again when it is quiet"
    )]
    Changing {
        /// The workload.
        target: Target,
        /// What was seen first.
        observed: Release,
        /// What the snapshot holds.
        snapshot: Release,
    },
    /// What is live is not what the repository says.
    #[error(
        "{target} runs {live} ({}), which is not {from}; start from what is live, or deploy {from} first",
        short(artifact)
    )]
    Drift {
        /// The workload.
        target: Target,
        /// The release that is live.
        live: TagName,
        /// Its bytes.
        artifact: ArtifactId,
        /// The release that the fix starts from.
        from: TagName,
    },
    /// Another run holds it.
    #[error(
        "{} is held by run {} of {} since {} (lease until {}); watch or resume run {} instead of starting another",
        claim.target, claim.run, claim.holder, claim.since, claim.expires_at, claim.run
    )]
    Busy {
        /// By whom, since when.
        claim: Claim,
    },
    /// The deployer lacks a verb.
    #[error("the deployer cannot {verb}, which every plan needs; use a deployer that can")]
    VerbMissing {
        /// The verb.
        verb: VerbName,
    },
    /// The deployer cannot split traffic.
    #[error(
        "{strategy} needs traffic in percents, and the deployer sends it only as a whole; use blue-green"
    )]
    NoPercentSplit {
        /// The strategy asked for.
        strategy: Strategy,
    },
    /// The slots share one set of instances.
    #[error(
        "{strategy} needs a release that runs beside the live one, and on this workload its instances replace those of the live one; use rolling"
    )]
    SharedInstances {
        /// The strategy asked for.
        strategy: Strategy,
    },
    /// A release takes all instances at once.
    #[error(
        "{strategy} needs a release that takes a part of the traffic or none, and on this workload it replaces all instances of the live one at once; use direct"
    )]
    AllInstances {
        /// The strategy asked for.
        strategy: Strategy,
    },
    /// The target does not keep stale requests out.
    #[error(
        "the deployer does not compare stamps, so a delayed request could undo a rollback; accept that in the request (unfenced) or use a deployer that does"
    )]
    Unfenced,
    /// A fact could not be read.
    #[error("{what} could not be read: {reason}; mend that and plan again")]
    Unread {
        /// What.
        what: Subject,
        /// Why not.
        reason: String,
    },
    /// A fact was not asked for, or what was asked for kept changing.
    #[error("{what} is missing in the snapshot; observe until nothing is missing")]
    Unasked {
        /// What.
        what: Subject,
    },
    /// A fact is too old.
    #[error("{what} was read at {at}, more than {limit} before the plan; observe again")]
    Stale {
        /// What.
        what: Subject,
        /// When it was read.
        at: Timestamp,
        /// How old it may be.
        limit: Period,
    },
    /// There is no proven release like that.
    #[error("{} was never proven healthy on {target}; proven are: {}", Wanted(to), Proven(proven))]
    UnknownRelease {
        /// The workload.
        target: Target,
        /// What was asked for.
        to: RollbackTo,
        /// What can be gone back to.
        proven: Vec<Release>,
    },
}

/// An approval that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoredApproval {
    /// Whose.
    pub by: String,
    /// Why not.
    pub because: WhyIgnored,
}

/// Why an approval does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyIgnored {
    /// It is too old.
    Expired {
        /// When it ended.
        at: Timestamp,
    },
    /// It is dated after the plan.
    Future,
    /// It is the one who asks.
    Requester,
    /// The same person agreed before.
    Twice,
    /// It names nobody.
    Nameless,
}

/// Whether a rule yields to a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Yields {
    /// It does at this severity, when the request carries one.
    ToReason,
    /// It does not.
    Never,
}

/// What a fact is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// References and tags.
    #[error("the repository of {0}")]
    Source(ServiceName),
    /// What is composed for the plan.
    #[error("what is composed for {0}")]
    Composition(ServiceName),
    /// A workload.
    #[error("{0}")]
    Workload(Target),
    /// What puts it back.
    #[error("the snapshot of {0}")]
    Snapshot(Target),
    /// What was proven on it.
    #[error("the list of releases proven on {0}")]
    KnownGood(Target),
    /// Who holds what.
    #[error("the list of open runs")]
    Claims,
}
