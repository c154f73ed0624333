//! Strategies as sequences of verbs and gates. A deployer knows none of them.

use std::num::NonZeroU16;

use super::draft::{Expect, Steps};
use super::safety::{Facts, Refusals, Site};
use super::{Finding, Gate, Refusal, StrategyChoice};
use crate::model::{ArtifactId, Period, Release, SlotName, Target, Verb, Weights};
use crate::policy::RolloutPolicy;
use crate::port::TrafficSplit;
use crate::request::{Goal, Strategy};

/// Returns how production is changed and why; `None` when the deployer cannot do what the request names, or nothing is
/// known of production.
///
/// Traffic is never sent to a side without a ready instance. When nothing of the live side is ready, there is nothing
/// to share traffic with or to compare with, and all of it goes to the fix at once.
pub(super) fn choose(
    facts: Facts<'_>,
    production: Option<&Site<'_>>,
    refusals: &mut Refusals,
) -> Option<(Strategy, Finding)> {
    let production = production?;
    let split = production.can.split;
    let shares = |strategy| matches!(strategy, Strategy::Canary | Strategy::Rolling);
    let can = |strategy| can(split, strategy);
    let requested = match &facts.request.goal {
        Goal::Deploy { strategy, .. } => *strategy,
        Goal::Create { .. } | Goal::Rollback { .. } | Goal::Watch { .. } => None,
    };
    let severity = facts.request.severity;
    let preferred = facts.policy.severities.of(severity).strategy;
    let of = requested.unwrap_or(preferred);
    let is_down = production.state.ready == 0;
    let instead = match split {
        TrafficSplit::Percent | TrafficSplit::Switch => Strategy::BlueGreen,
        TrafficSplit::Instances => Strategy::Rolling,
        TrafficSplit::AllInstances => Strategy::Direct,
    };
    let (strategy, because) = match requested {
        _ if is_down && shares(of) => (Strategy::Direct, StrategyChoice::LiveIsDown { of }),
        Some(strategy) if can(strategy) => (strategy, StrategyChoice::Requested),
        Some(strategy) => {
            refusals.add(match split {
                TrafficSplit::Percent | TrafficSplit::Switch => Refusal::NoPercentSplit { strategy },
                TrafficSplit::Instances => Refusal::SharedInstances { strategy },
                TrafficSplit::AllInstances => Refusal::AllInstances { strategy },
            });
            return None;
        }
        None if can(preferred) => (preferred, StrategyChoice::Policy(severity)),
        None if is_down && shares(instead) => (Strategy::Direct, StrategyChoice::LiveIsDown { of: instead }),
        None => (instead, StrategyChoice::Instead { of, split }),
    };
    Some((strategy, Finding::Strategy { strategy, because }))
}

/// Returns whether a strategy is possible with such a split. Where the slots share their instances, a release cannot
/// run beside the live one without traffic, nor get another share of it than its instances make; where it takes all of
/// them, it gets all of it.
const fn can(split: TrafficSplit, strategy: Strategy) -> bool {
    match split {
        TrafficSplit::Percent => true,
        TrafficSplit::Switch => matches!(strategy, Strategy::Direct | Strategy::BlueGreen),
        TrafficSplit::Instances => matches!(strategy, Strategy::Direct | Strategy::Rolling),
        TrafficSplit::AllInstances => matches!(strategy, Strategy::Direct),
    }
}

/// How a release is proven once more in the slot that others deploy to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Homecoming {
    /// By a verdict on all the traffic.
    Judged,
    /// By staying ready and faultless for so long.
    Soaked(Period),
}

/// Where a release goes and what it meets there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rollout<'a> {
    pub(super) target: &'a Target,
    pub(super) release: &'a Release,
    pub(super) artifact: &'a ArtifactId,
    pub(super) live: &'a SlotName,
    pub(super) live_artifact: &'a ArtifactId,
    pub(super) slot: &'a SlotName,
    pub(super) replicas: NonZeroU16,
}

impl Rollout<'_> {
    /// Takes the release to all the traffic and makes it live, gates included.
    pub(super) fn run(&self, strategy: Strategy, policy: &RolloutPolicy, steps: &mut Steps<'_>) {
        match strategy {
            Strategy::Direct => {
                self.stage(self.replicas, steps);
                self.take_over(steps);
            }
            Strategy::BlueGreen => {
                self.stage(self.replicas, steps);
                steps.soak(self.target, self.slot, self.artifact, policy.preview_soak);
                self.take_over(steps);
            }
            Strategy::Canary => {
                self.stage(self.replicas, steps);
                self.shares(policy.canary_steps.iter().map(|weight| (*weight, None)).collect(), steps);
            }
            Strategy::Rolling => self.shares(batches(self.replicas, policy.rolling_batch), steps),
        }
        self.promote(steps);
    }

    /// Makes the release live where nobody judges it: ready is enough.
    pub(super) fn run_unjudged(&self, soak: Period, steps: &mut Steps<'_>) {
        self.stage(self.replicas, steps);
        steps.soak(self.target, self.slot, self.artifact, soak);
        self.shift(100, steps);
        self.promote(steps);
    }

    /// Takes what was just promoted elsewhere home, and empties where it was. `proof` is what proves it there.
    pub(super) fn come_home(&self, proof: Homecoming, steps: &mut Steps<'_>) {
        self.stage(self.replicas, steps);
        match proof {
            Homecoming::Judged => self.take_over(steps),
            Homecoming::Soaked(soak) => {
                self.shift(100, steps);
                steps.soak(self.target, self.slot, self.artifact, soak);
            }
        }
        self.promote(steps);
        let expect = Expect { live: self.artifact, holds: Some((self.live, self.artifact)) };
        steps.verb(self.target, Verb::Retire { slot: self.live.clone() }, expect);
    }

    pub(super) fn stage(&self, replicas: NonZeroU16, steps: &mut Steps<'_>) {
        let verb = Verb::Stage { slot: self.slot.clone(), release: self.release.clone(), replicas };
        steps.verb(self.target, verb, Expect { live: self.live_artifact, holds: None });
        steps.ready(self.target, self.slot, self.artifact);
    }

    pub(super) fn shift(&self, weight: u8, steps: &mut Steps<'_>) {
        let weights = Weights::split(self.live.clone(), self.slot.clone(), weight)
            .expect("weights are at most 100 and the slots differ");
        steps.verb(self.target, Verb::Shift { weights }, self.expect());
    }

    pub(super) fn promote(&self, steps: &mut Steps<'_>) {
        steps.verb(self.target, Verb::Promote { slot: self.slot.clone() }, self.expect());
    }

    fn take_over(&self, steps: &mut Steps<'_>) {
        self.shares(vec![(100, None)], steps);
    }

    /// Raises the share of traffic step by step, each proven before the next.
    fn shares(&self, shares: Vec<(u8, Option<NonZeroU16>)>, steps: &mut Steps<'_>) {
        let total = shares.len();
        for (index, (weight, replicas)) in shares.into_iter().enumerate() {
            if let Some(replicas) = replicas {
                self.stage(replicas, steps);
            }
            self.shift(weight, steps);
            steps.verify(Gate::Verify {
                target: self.target.clone(),
                canary: self.slot.clone(),
                artifact: self.artifact.clone(),
                baseline: (weight < 100).then(|| self.live.clone()),
                weight,
                later: u8::try_from(total - index - 1).unwrap_or(u8::MAX),
            });
        }
    }

    fn expect(&self) -> Expect<'_> {
        Expect { live: self.live_artifact, holds: Some((self.slot, self.artifact)) }
    }
}

/// Returns the shares of a rolling rollout: as many instances as there are after each batch, and the share of traffic
/// that so many of all can bear. Batches that would not raise the share are taken together with the next.
fn batches(replicas: NonZeroU16, batch: u16) -> Vec<(u8, Option<NonZeroU16>)> {
    let all = u32::from(replicas.get());
    let mut shares: Vec<(u8, Option<NonZeroU16>)> = Vec::new();
    let mut count = 0;
    while count < all {
        count = (count + u32::from(batch.max(1))).min(all);
        let weight = u8::try_from(count * 100 / all).unwrap_or(100);
        let above = shares.last().map_or(0, |(weight, _)| *weight);
        if weight > above {
            shares.push((weight, u16::try_from(count).ok().and_then(NonZeroU16::new)));
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_never_give_an_instance_more_than_its_share() {
        let shares = |replicas, batch| {
            let batches = batches(NonZeroU16::new(replicas).unwrap(), batch);
            batches.into_iter().map(|(weight, count)| (weight, count.unwrap().get())).collect::<Vec<_>>()
        };
        assert_eq!(shares(3, 1), [(33, 1), (66, 2), (100, 3)]);
        assert_eq!(shares(5, 2), [(40, 2), (80, 4), (100, 5)]);
        assert_eq!(shares(2, 9), [(100, 2)]);
        assert_eq!(shares(1, 1), [(100, 1)]);
        let many = shares(1000, 1);
        assert_eq!((many.len(), many[0], many[99]), (100, (1, 10), (100, 1000)));
    }
}
