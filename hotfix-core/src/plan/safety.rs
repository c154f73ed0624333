//! Reasons not to act that every goal shares: missing and old facts, busy targets, what the deployer cannot do, and
//! workloads that are not fit to be changed.

use super::{Finding, Refusal, Refused, Subject};
use crate::model::{
    Fenced, Rollout, SlotName, SlotState, Target, VerbName, Weights, Workload, WorkloadSnapshot,
};
use crate::observe::{Fact, Snapshot};
use crate::policy::Policy;
use crate::port::{DeployerCapabilities, Fence, KnownGood};
use crate::request::{Request, Unfenced};

/// Everything a plan is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) request: &'a Request,
    pub(super) snapshot: &'a Snapshot,
    pub(super) policy: &'a Policy,
}

/// The reasons found so far.
#[derive(Debug, Default)]
pub(super) struct Refusals(Vec<Refusal>);

impl Refusals {
    pub(super) fn add(&mut self, refusal: impl Into<Refusal>) {
        self.0.push(refusal.into());
    }

    /// Returns the value when nothing stands in the way of it.
    pub(super) fn settle<T>(self, value: Option<T>) -> Result<T, Refused> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Refused { reasons: self.0 }),
        }
    }
}

/// A workload that has something live and a snapshot of it.
#[derive(Debug, Clone)]
pub(super) struct Site<'a> {
    pub(super) target: Target,
    pub(super) can: &'a DeployerCapabilities,
    pub(super) workload: &'a Workload,
    pub(super) live: SlotName,
    pub(super) state: &'a SlotState,
    pub(super) baseline: &'a WorkloadSnapshot,
}

impl Site<'_> {
    /// Returns the weights that bring all traffic to the live side, if a shift can do that: where the instances make
    /// the share, only a restore can.
    pub(super) fn gathered(&self) -> Option<Weights> {
        (!self.can.split.shares_instances()).then(|| Weights::all(self.live.clone()))
    }

    /// Returns the split if it is not all on the live slot.
    pub(super) fn split(&self) -> Option<Weights> {
        let whole = Weights::all(self.live.clone());
        self.workload.weights.clone().filter(|weights| *weights != whole)
    }

    /// Returns what the deployer wants people to know.
    pub(super) fn notices(&self) -> impl Iterator<Item = Finding> {
        let noticed =
            |notice: &String| Finding::Noticed { target: self.target.clone(), notice: notice.clone() };
        self.workload.notices.iter().map(noticed)
    }

    /// Returns the slot for the next release: an empty one if there is one.
    pub(super) fn spare(&self, refusals: &mut Refusals) -> Option<SlotName> {
        let others = || self.workload.slots.iter().filter(|(slot, _)| **slot != self.live);
        let empty = others().find(|(_, state)| state.is_none());
        let spare = empty.or_else(|| others().next()).map(|(slot, _)| slot.clone());
        if spare.is_none() {
            refusals.add(Refusal::NoSpareSlot { target: self.target.clone() });
        }
        spare
    }
}

impl<'a> Facts<'a> {
    /// Returns a fact that was read and is young enough.
    pub(super) fn known<T>(
        &self,
        fact: Option<&'a Fact<T>>,
        what: Subject,
        refusals: &mut Refusals,
    ) -> Option<&'a T> {
        match fact {
            None => refusals.add(Refusal::Unasked { what }),
            Some(Fact::Gap { reason, .. }) => refusals.add(Refusal::Unread { what, reason: reason.clone() }),
            Some(Fact::Known { at, .. }) if self.is_old(*at) => {
                refusals.add(Refusal::Stale { what, at: *at, limit: self.policy.facts_last });
            }
            Some(Fact::Known { value, .. }) => return Some(value),
        }
        None
    }

    fn is_old(&self, at: crate::model::Timestamp) -> bool {
        self.snapshot.taken_at.signed_duration_since(at) > self.policy.facts_last.to_delta()
    }

    /// Returns a workload that can be changed and put back.
    pub(super) fn site(&self, target: Target, refusals: &mut Refusals) -> Option<Site<'a>> {
        let facts = self.snapshot.workloads.get(&target);
        let workload = facts.and_then(|facts| facts.workload.as_ref());
        let workload = self.known(workload, Subject::Workload(target.clone()), refusals)?;
        let Some(can) = self.can(&target) else {
            refusals.add(Refusal::Unasked { what: Subject::Workload(target) });
            return None;
        };
        if workload.rollout == Rollout::Paused {
            refusals.add(Refusal::Paused { target: target.clone() });
        }
        let (Some(live), Some(state)) = (workload.live.clone(), workload.live_state()) else {
            refusals.add(Refusal::NothingLive { target });
            return None;
        };
        let snapshot = facts.and_then(|facts| facts.snapshot.as_ref());
        let baseline = self.known(snapshot, Subject::Snapshot(target.clone()), refusals)?;
        if baseline.slot != live || baseline.release.artifact != state.release.artifact {
            let (observed, snapshot) = (state.release.clone(), baseline.release.clone());
            refusals.add(Refusal::Changing { target, observed, snapshot });
            return None;
        }
        Some(Site { target, can, workload, live, state, baseline })
    }

    /// Returns the releases that were proven on a workload.
    pub(super) fn known_good(&self, target: &Target) -> Option<&'a Fact<Vec<KnownGood>>> {
        self.snapshot.workloads.get(target)?.known_good.as_ref()
    }

    /// Refuses what other runs hold.
    pub(super) fn unclaimed(&self, wanted: &[Fenced], refusals: &mut Refusals) {
        let claims = self.known(self.snapshot.claims.as_ref(), Subject::Claims, refusals);
        for claim in claims.into_iter().flatten().filter(|claim| wanted.contains(&claim.target)) {
            refusals.add(Refusal::Busy { claim: claim.clone() });
        }
    }

    /// Returns what the deployer can do on a workload.
    pub(super) fn can(&self, target: &Target) -> Option<&'a DeployerCapabilities> {
        self.snapshot.workloads.get(target)?.capabilities.as_ref()
    }

    /// Refuses what the deployer cannot do on the workloads of a plan, each reason once.
    pub(super) fn deployable<'b>(
        &self,
        targets: impl IntoIterator<Item = &'b Target>,
        refusals: &mut Refusals,
    ) {
        let can: Vec<_> = targets.into_iter().filter_map(|target| self.can(target)).collect();
        for verb in [VerbName::Stage, VerbName::Shift, VerbName::Promote, VerbName::Retire, VerbName::Restore]
        {
            if can.iter().any(|can| !can.verbs.contains(&verb)) {
                refusals.add(Refusal::VerbMissing { verb });
            }
        }
        if can.iter().any(|can| can.fence == Fence::None) && self.request.unfenced == Unfenced::Refuse {
            refusals.add(Refusal::Unfenced);
        }
    }
}
