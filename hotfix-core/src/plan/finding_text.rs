//! Findings in words: one line each.

use std::fmt;

use super::report::{Finding, StagingSkipped, StrategyChoice};
use super::wording::{Conflicts, Listed, count};
use crate::port::{Basis, TrafficSplit};

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strategy { strategy, because } => write!(f, "{strategy} for production: {because}"),
            Self::Change { from, files, lines } => {
                write!(f, "the fix changes {} and {} of {from}", count(*files, "file"), count(*lines, "line"))
            }
            Self::VersionsTaken { taken, version } => {
                let verb = if taken.len() == 1 { "exists" } else { "exist" };
                let taken = Listed(taken);
                write!(f, "{taken} {verb} already, here or on the remote, so this is {version}")
            }
            Self::StagingSkipped { because } => write!(f, "staging is skipped: {because}"),
            Self::AlreadyLive { target } => {
                write!(f, "{target} runs exactly this artifact already; it is proven and left alone")
            }
            Self::BreakGlass { rule, reason } => {
                write!(f, "break-glass: \"{rule}\" yields, because: {reason:?}")
            }
            Self::ReviewDue { due } => {
                write!(f, "somebody other than the one who asked reviews the waived approval by {due}")
            }
            Self::Approved { by, needed } => {
                let names: Vec<_> = by.iter().map(|name| name.escape_debug()).collect();
                write!(f, "approved by {} ({needed} needed)", Listed(&names))
            }
            Self::NormalReview { severity } => {
                write!(f, "{severity} counts no approvals here; the review that every change gets applies")
            }
            _ => self.fmt_state(f),
        }
    }
}

impl Finding {
    fn fmt_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstUse { target, release } => {
                write!(f, "{target}: {release} is what a rollback puts back, and no run has proven it yet")
            }
            Self::ProofUnread { target, reason } => {
                write!(f, "{target}: whether what a rollback puts back was proven could not be read: {reason}")
            }
            Self::BaselineShort { target, ready, replicas, faults } if faults.is_empty() => {
                write!(f, "{target}: only {ready} of {replicas} instances are ready now; a rollback puts that back")
            }
            Self::BaselineShort { target, ready, replicas, faults } => write!(
                f,
                "{target}: {ready} of {replicas} instances are ready now ({}); a rollback puts that back",
                Listed(faults)
            ),
            Self::Noticed { target, notice } => write!(f, "{target}: {notice}"),
            Self::SlotReplaced { target, slot, release } => {
                write!(f, "{target}: {slot} holds {release} without traffic; it is replaced and not put back")
            }
            Self::DevelopConflict { branch, fix, paths } => write!(
                f,
                "merge {} into {} by hand; it conflicts in {}",
                fix.short(),
                branch.short(),
                Conflicts(paths)
            ),
            Self::DevelopHasIt { branch } => write!(f, "{} has the fix already", branch.short()),
            Self::PerReference => {
                f.write_str("references move one by one in this repository; a crash can leave some behind")
            }
            Self::Unfenced => f.write_str(
                "the deployer does not compare stamps: a delayed request can arrive late; the request accepts that",
            ),
            Self::Destination { target, release, proven_at, basis: Basis::Proven } => {
                write!(f, "{target} goes to {release}, proven healthy at {proven_at}")
            }
            Self::Destination { target, release, proven_at, basis: Basis::Served } => {
                write!(f, "{target} goes to {release}, which was live and well at {proven_at}; no run judged it")
            }
            Self::Destination { target, release, proven_at, basis: Basis::Withdrawn } => {
                write!(f, "{target} goes to {release} because the request names it; a run went back from it at {proven_at}")
            }
            Self::Warm { slot, ready } => {
                write!(f, "{slot} still holds it with {}; nothing is started", count(u64::from(*ready), "ready instance"))
            }
            Self::SplitEnded { target, weights } => {
                write!(f, "{target}: traffic is split ({weights}) by a run that ended; it is brought together first")
            }
            Self::DeployTarget { severity, within, longest } if longest > within => write!(
                f,
                "the deadlines of this plan add up to {longest}, more than the {within} from report to live of {severity}"
            ),
            Self::DeployTarget { severity, within, longest } => {
                write!(f, "{severity}: live within {within} of the report; this plan takes {longest} at the most")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for StrategyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("the request names it"),
            Self::Policy(severity) => write!(f, "the policy's choice for {severity}"),
            Self::LiveIsDown { of } => {
                write!(f, "nothing of the live side is ready, so {of} has nothing to share traffic with")
            }
            Self::Instead { of, split } => {
                let can = match split {
                    TrafficSplit::Percent => "sends traffic in percents",
                    TrafficSplit::Switch => "sends traffic only as a whole",
                    TrafficSplit::Instances => "replaces the instances of the live release one by one",
                    TrafficSplit::AllInstances => "replaces all instances of the live release at once",
                };
                write!(f, "the policy's choice is {of}, but the deployer {can}")
            }
        }
    }
}

impl fmt::Display for StagingSkipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEnvironment => "the policy names no staging environment",
            Self::Requested => "the request asks for it",
        })
    }
}
