//! An earlier release is put back, whatever state the present one is in.
//!
//! Nothing here asks whether the live side is well, whether the repository can be reached, or who agreed: going back to
//! something proven must never wait for any of these.

use super::draft::{self, Expect, Frame, Steps};
use super::rollback::Undoing;
use super::safety::{Facts, Refusals, Site};
use super::strategy::{Homecoming, Rollout};
use super::{Baseline, Finding, NothingToDo, Planned, Refusal, Refused, Subject};
use crate::model::{Fenced, Period, Phase, SlotName, SlotState, Target, Verb, Weights};
use crate::port::{Basis, Fence, KnownGood};
use crate::request::RollbackTo;

/// Makes the plan of going back.
pub(super) fn plan(
    facts: Facts<'_>,
    target: &Target,
    to: &RollbackTo,
    ask: Option<Period>,
) -> Result<Planned, Refused> {
    let mut refusals = Refusals::default();
    facts.deployable([target], &mut refusals);
    facts.unclaimed(&[Fenced::Workload(target.clone())], &mut refusals);
    let site = facts.site(target.clone(), &mut refusals);
    let proven = facts.known(facts.known_good(target), Subject::KnownGood(target.clone()), &mut refusals);
    let destination = site.as_ref().zip(proven).and_then(|(site, proven)| {
        let found = destination(site, to, proven);
        if found.is_none() {
            let trusted = proven.iter().filter(|good| good.basis != Basis::Withdrawn);
            let proven = trusted.map(|good| good.release.clone()).collect();
            refusals.add(Refusal::UnknownRelease { target: target.clone(), to: to.clone(), proven });
        }
        found
    });
    let Some((site, good)) = site.zip(destination) else {
        return refusals.settle(None);
    };
    if good.release.artifact == site.state.release.artifact {
        return stay(facts, &site, good, ask, refusals);
    }
    let slot = match warm(&site, good) {
        Some(slot) => Some(slot),
        None => empty(&site, &mut refusals),
    };
    let slot = refusals.settle(slot)?;
    Ok(go_back(facts, &site, good, &slot, ask))
}

/// Returns a slot to start the release in. One that bears traffic can be emptied only when the live side is able to
/// take that traffic.
fn empty(site: &Site<'_>, refusals: &mut Refusals) -> Option<SlotName> {
    let slot = site.spare(refusals)?;
    if has_traffic(site, &slot) && site.state.ready == 0 {
        let (target, weights) = (site.target.clone(), site.split()?);
        refusals.add(Refusal::RolloutUnderWay { target, weights });
    }
    Some(slot)
}

/// What a run went back from is not gone back to, unless it is named: of two rollbacks the second would undo the first.
fn destination<'a>(site: &Site<'_>, to: &RollbackTo, proven: &'a [KnownGood]) -> Option<&'a KnownGood> {
    proven.iter().find(|good| match to {
        RollbackTo::LastKnownGood => {
            good.basis != Basis::Withdrawn && good.release.artifact != site.state.release.artifact
        }
        RollbackTo::Version(version) => good.release.version == *version,
        RollbackTo::Artifact(artifact) => good.release.artifact.id() == *artifact,
    })
}

/// Returns a slot that still holds the release with an instance that can take traffic at once.
fn warm(site: &Site<'_>, good: &KnownGood) -> Option<SlotName> {
    let holds = |state: &SlotState| state.release.artifact == good.release.artifact && state.ready > 0;
    let others = site.workload.slots.iter().filter(|(slot, _)| **slot != site.live);
    let (slot, _) =
        others.filter_map(|(slot, state)| Some((slot, state.as_ref()?))).find(|(_, state)| holds(state))?;
    Some(slot.clone())
}

fn go_back(
    facts: Facts<'_>,
    site: &Site<'_>,
    good: &KnownGood,
    slot: &SlotName,
    ask: Option<Period>,
) -> Planned {
    let artifact = good.release.artifact.id();
    let live_artifact = site.state.release.artifact.id();
    let held = site.workload.slot(slot);
    let warm = held.filter(|state| state.release.artifact == good.release.artifact && state.ready > 0);
    let mut findings = findings(site, good);
    let mut steps = begin(facts, site, ask);
    if warm.is_none() && has_traffic(site, slot) {
        gather(site, site.gathered(), &mut steps);
    }
    let rollout = Rollout {
        target: &site.target,
        release: &good.release,
        artifact: &artifact,
        live: &site.live,
        live_artifact: &live_artifact,
        slot,
        replicas: site.state.replicas,
    };
    match warm {
        // What is warm beside the live side has instances of its own, or else they are still to be taken.
        Some(state) if state.replicas >= site.state.replicas && site.gathered().is_some() => {
            findings.push(Finding::Warm { slot: slot.clone(), ready: state.ready });
            steps.ready(&site.target, slot, &artifact);
        }
        _ => rollout.stage(site.state.replicas, &mut steps),
    }
    rollout.shift(100, &mut steps);
    steps.point_of_no_return();
    steps.soak(&site.target, slot, &artifact, facts.policy.rollout.rollback_soak);
    rollout.promote(&mut steps);
    if site.workload.home.as_ref() == Some(&site.live) {
        let home = Rollout { live: slot, live_artifact: &artifact, slot: &site.live, ..rollout };
        home.come_home(Homecoming::Soaked(facts.policy.rollout.rollback_soak), &mut steps);
    } else {
        let expect = Expect { live: &artifact, holds: Some((&site.live, &live_artifact)) };
        steps.verb(&site.target, Verb::Retire { slot: site.live.clone() }, expect);
    }
    finish(facts, site, good, findings, steps)
}

/// The release to go back to is the live one: at the most, traffic is brought back to it.
fn stay(
    facts: Facts<'_>,
    site: &Site<'_>,
    good: &KnownGood,
    ask: Option<Period>,
    refusals: Refusals,
) -> Result<Planned, Refused> {
    refusals.settle(Some(()))?;
    if site.split().is_none() {
        let (target, release) = (site.target.clone(), site.state.release.clone());
        return Ok(Planned::NothingToDo(NothingToDo::ReleaseIsLive { target, release }));
    }
    let artifact = good.release.artifact.id();
    let mut steps = begin(facts, site, ask);
    let shift = site.gathered().filter(|_| site.state.ready > 0);
    let is_restored = shift.is_none();
    gather(site, shift, &mut steps);
    steps.point_of_no_return();
    let soak = facts.policy.rollout.rollback_soak;
    steps.soak(&site.target, &site.live, &artifact, soak);
    // A restore empties the other slots by itself.
    let filled = site.workload.slots.iter().filter(|(slot, _)| **slot != site.live && !is_restored);
    for (slot, state) in filled.filter_map(|(slot, state)| Some((slot, state.as_ref()?))) {
        let held = state.release.artifact.id();
        let expect = Expect { live: &artifact, holds: Some((slot, &held)) };
        steps.verb(&site.target, Verb::Retire { slot: slot.clone() }, expect);
    }
    Ok(finish(facts, site, good, findings(site, good), steps))
}

fn begin<'a>(facts: Facts<'a>, site: &Site<'_>, ask: Option<Period>) -> Steps<'a> {
    let mut steps = Steps::new(facts);
    steps.phase(Phase::Production);
    if let Some(within) = ask {
        steps.approval(site, within);
    }
    steps
}

/// Returns whether a slot has to give its traffic away before it can be used.
fn has_traffic(site: &Site<'_>, slot: &SlotName) -> bool {
    site.workload.weights.as_ref().is_some_and(|weights| weights.of(slot) > 0)
}

/// Brings all traffic to the live side, so that the others are free: by a shift, or by putting the live side back.
fn gather(site: &Site<'_>, shift: Option<Weights>, steps: &mut Steps<'_>) {
    let live = site.state.release.artifact.id();
    let verb = match shift {
        Some(weights) => Verb::Shift { weights },
        None => Verb::Restore { snapshot: site.baseline.clone() },
    };
    steps.verb(&site.target, verb, Expect { live: &live, holds: None });
}

fn findings(site: &Site<'_>, good: &KnownGood) -> Vec<Finding> {
    let target = site.target.clone();
    let mut findings = vec![Finding::Destination {
        target: target.clone(),
        release: good.release.clone(),
        proven_at: good.at,
        basis: good.basis,
    }];
    findings.extend(site.split().map(|weights| Finding::SplitEnded { target, weights }));
    findings.extend(site.notices());
    if site.can.fence == Fence::None {
        findings.push(Finding::Unfenced);
    }
    findings
}

fn finish(
    facts: Facts<'_>,
    site: &Site<'_>,
    good: &KnownGood,
    findings: Vec<Finding>,
    steps: Steps<'_>,
) -> Planned {
    let frame = Frame {
        release: Some(good.release.clone()),
        baselines: vec![Baseline { target: site.target.clone(), snapshot: site.baseline.clone() }],
        undoing: Undoing { artifact: Some(good.release.artifact.id()) },
        findings,
    };
    draft::finish(facts, steps, frame)
}
