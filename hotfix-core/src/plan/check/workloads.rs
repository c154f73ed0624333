//! Workloads in the abstract: slots, what is ready, how traffic is split, and what was proven at which weight.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Finding, Gate, Plan, StepId};
use super::{Violation, main_target};
use crate::model::{ArtifactId, Precondition, SlotName, Target, Verb, Weights, WorkloadSnapshot};
use crate::request::Goal;

/// All workloads of a plan.
#[derive(Debug, Clone)]
pub(super) struct Workloads {
    sides: BTreeMap<Target, Side>,
    /// The workload whose shares of traffic must be proven, and how.
    main: Option<(Target, Proof)>,
    /// Whether production may come without staging: there is none, or the report says so.
    rehearsed: bool,
    rehearsal_needed: bool,
    artifact: Option<ArtifactId>,
}

/// How a share of traffic is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// By a verdict at that weight.
    Verdict,
    /// By a look at its instances after it got the traffic: it was proven in an earlier run.
    Instances,
}

#[derive(Debug, Clone)]
struct Side {
    /// What was live before the plan.
    origin: SlotName,
    live: SlotName,
    weights: BTreeMap<SlotName, u8>,
    slots: BTreeMap<SlotName, Held>,
    proven: BTreeSet<(SlotName, ArtifactId, u8)>,
}

#[derive(Debug, Clone)]
struct Held {
    artifact: ArtifactId,
    replicas: u16,
    ready: bool,
}

impl Side {
    fn new(snapshot: &WorkloadSnapshot) -> Self {
        let held =
            Held { artifact: snapshot.release.artifact.id(), replicas: snapshot.replicas.get(), ready: true };
        Self {
            origin: snapshot.slot.clone(),
            live: snapshot.slot.clone(),
            weights: BTreeMap::from([(snapshot.slot.clone(), 100)]),
            slots: BTreeMap::from([(snapshot.slot.clone(), held)]),
            proven: BTreeSet::new(),
        }
    }

    fn weight(&self, slot: &SlotName) -> u8 {
        self.weights.get(slot).copied().unwrap_or(0)
    }

    fn holds(&self, slot: &SlotName, artifact: &ArtifactId) -> bool {
        self.slots.get(slot).is_some_and(|held| held.artifact == *artifact)
    }

    fn is_ready(&self, slot: &SlotName) -> bool {
        self.slots.get(slot).is_some_and(|held| held.ready)
    }

    fn is_proven(&self, slot: &SlotName) -> bool {
        let weight = self.weight(slot);
        let held = self.slots.get(slot).map(|held| held.artifact.clone());
        held.is_some_and(|artifact| self.proven.contains(&(slot.clone(), artifact, weight)))
    }

    /// Returns the weight of a slot that got traffic by this plan and was not proven at that weight.
    fn unproven(&self) -> Option<u8> {
        let mut raised = self.weights.iter().filter(|(slot, weight)| **weight > 0 && **slot != self.origin);
        raised.find(|(slot, _)| !self.is_proven(slot)).map(|(_, weight)| *weight)
    }
}

impl Workloads {
    pub(super) fn new(plan: &Plan) -> Self {
        let sides =
            plan.baselines().iter().map(|baseline| (baseline.target.clone(), Side::new(&baseline.snapshot)));
        let proof = match plan.request().goal {
            Goal::Deploy { .. } => Proof::Verdict,
            Goal::Create { .. } | Goal::Rollback { .. } | Goal::Watch { .. } => Proof::Instances,
        };
        let skipped = |finding: &Finding| matches!(finding, Finding::StagingSkipped { .. });
        Self {
            sides: sides.collect(),
            main: main_target(plan).map(|target| (target.clone(), proof)),
            rehearsed: plan.report().findings.iter().any(skipped),
            rehearsal_needed: proof == Proof::Verdict,
            artifact: plan.release().map(|release| release.artifact.id()),
        }
    }

    fn is_main(&self, target: &Target) -> bool {
        self.main.as_ref().is_some_and(|(main, _)| main == target)
    }

    pub(super) fn apply(
        &mut self,
        step: StepId,
        target: &Target,
        verb: &Verb,
        precondition: &Precondition,
        violations: &mut Vec<Violation>,
    ) {
        let is_main = self.is_main(target);
        let unrehearsed = is_main && self.rehearsal_needed && !self.rehearsed;
        let Some(side) = self.sides.get_mut(target) else {
            return;
        };
        side.expect(step, precondition, violations);
        let leaves_share = match verb {
            Verb::Shift { .. } | Verb::Promote { .. } | Verb::Retire { .. } => true,
            // Where the slots share their instances, this raises the share.
            Verb::Stage { slot, .. } => side.weight(slot) > 0,
            Verb::Restore { .. } | Verb::Pause | Verb::Resume => false,
        };
        if is_main && leaves_share {
            side.leave_share(step, violations);
        }
        match verb {
            Verb::Stage { slot, release, replicas } => {
                side.stage(step, slot, release.artifact.id(), replicas.get(), violations);
            }
            Verb::Shift { weights } => {
                if unrehearsed {
                    violations.push(Violation::StagingNotFirst { step });
                }
                side.shift(step, weights, violations);
            }
            Verb::Promote { slot } => side.promote(step, slot, violations),
            Verb::Retire { slot } => side.retire(step, slot, violations),
            Verb::Restore { snapshot } => *side = Side::new(snapshot),
            Verb::Pause | Verb::Resume => {}
        }
    }

    pub(super) fn pass(&mut self, step: StepId, gate: &Gate, violations: &mut Vec<Violation>) {
        let proof = self.main.as_ref().filter(|(main, _)| main == gate.target()).map(|(_, proof)| *proof);
        if proof.is_none() && self.artifact.as_ref() == Some(gate.artifact()) {
            self.rehearsed = true;
        }
        let Some(side) = self.sides.get_mut(gate.target()) else {
            let target = gate.target().clone();
            return violations.push(Violation::NoBaseline { step, target });
        };
        side.pass(step, gate, proof == Some(Proof::Instances), violations);
    }

    /// Returns whether what the plan promises is live and proven with all the traffic.
    pub(super) fn is_proven_live(&self, plan: &Plan) -> bool {
        let (Some((target, _)), Some(release)) = (&self.main, plan.release()) else {
            return false;
        };
        let artifact = release.artifact.id();
        self.sides.get(target).is_some_and(|side| {
            side.holds(&side.live, &artifact) && side.weight(&side.live) == 100 && side.is_proven(&side.live)
        })
    }

    pub(super) fn check_end(&self, plan: &Plan, violations: &mut Vec<Violation>) {
        if let Some((target, _)) = &self.main
            && !self.is_proven_live(plan)
        {
            violations.push(Violation::EndsElsewhere { target: target.clone() });
        }
    }

    /// Returns the workloads that do not run their snapshot with all the traffic.
    pub(super) fn not_restored(&self, plan: &Plan) -> Vec<Target> {
        let differs = |side: &Side, snapshot: &WorkloadSnapshot| {
            side.live != snapshot.slot
                || side.weight(&snapshot.slot) != 100
                || !side.holds(&snapshot.slot, &snapshot.release.artifact.id())
        };
        let baselines = plan.baselines().iter();
        let differing = baselines
            .filter(|kept| self.sides.get(&kept.target).is_none_or(|side| differs(side, &kept.snapshot)));
        differing.map(|kept| kept.target.clone()).collect()
    }
}

impl Side {
    fn expect(&mut self, step: StepId, precondition: &Precondition, violations: &mut Vec<Violation>) {
        let live = self.slots.get(&self.live).map(|held| &held.artifact);
        if precondition.live.is_empty() {
            violations.push(Violation::NoPrecondition { step });
        } else if !live.is_some_and(|live| precondition.live.contains(live)) {
            violations.push(Violation::PreconditionFails { step });
        }
        if let Some((slot, artifact)) = &precondition.holds
            && self.slots.get(slot).is_some_and(|held| held.artifact != *artifact)
        {
            violations.push(Violation::PreconditionFails { step });
        }
    }

    fn stage(
        &mut self,
        step: StepId,
        slot: &SlotName,
        artifact: ArtifactId,
        replicas: u16,
        violations: &mut Vec<Violation>,
    ) {
        let same = self.holds(slot, &artifact);
        let fewer = self.slots.get(slot).is_some_and(|held| replicas < held.replicas);
        if *slot == self.live && !same {
            violations.push(Violation::StageOverLive { step, slot: slot.clone() });
        } else if self.weight(slot) > 0 && (!same || fewer) {
            violations.push(Violation::StageUnderTraffic { step, slot: slot.clone() });
        }
        self.slots.insert(slot.clone(), Held { artifact, replicas, ready: false });
    }

    fn leave_share(&self, step: StepId, violations: &mut Vec<Violation>) {
        if let Some(weight) = self.unproven() {
            violations.push(Violation::UnprovenShare { step, weight });
        }
    }

    fn shift(&mut self, step: StepId, weights: &Weights, violations: &mut Vec<Violation>) {
        let sum = weights.iter().map(|(_, weight)| u32::from(weight)).sum();
        if sum != 100 {
            violations.push(Violation::WeightSum { step, sum });
        }
        for (slot, weight) in weights.iter() {
            if weight > self.weight(slot) && !self.is_ready(slot) {
                violations.push(Violation::WeightToUnready { step, slot: slot.clone() });
            }
        }
        self.weights = weights.iter().map(|(slot, weight)| (slot.clone(), weight)).collect();
    }

    fn promote(&mut self, step: StepId, slot: &SlotName, violations: &mut Vec<Violation>) {
        let weight = self.weight(slot);
        if weight != 100 {
            violations.push(Violation::PromoteBelowAll { step, slot: slot.clone(), weight });
        }
        self.live = slot.clone();
    }

    fn retire(&mut self, step: StepId, slot: &SlotName, violations: &mut Vec<Violation>) {
        let weight = self.weight(slot);
        if *slot == self.live {
            violations.push(Violation::RetireLive { step, slot: slot.clone() });
        }
        if weight > 0 {
            violations.push(Violation::RetireUnderTraffic { step, slot: slot.clone(), weight });
        }
        self.slots.remove(slot);
    }

    fn pass(&mut self, step: StepId, gate: &Gate, instances_prove: bool, violations: &mut Vec<Violation>) {
        let (slot, artifact) = (gate.slot(), gate.artifact());
        match self.slots.get_mut(slot) {
            // Going back can use a slot that was filled before: the gate is what tells that it holds the artifact.
            None if instances_prove && matches!(gate, Gate::Ready { .. }) => {
                let held = Held { artifact: artifact.clone(), replicas: 0, ready: true };
                self.slots.insert(slot.clone(), held);
            }
            Some(held) if held.artifact == *artifact => {
                if matches!(gate, Gate::Ready { .. } | Gate::Soak { .. }) {
                    held.ready = true;
                }
            }
            _ => {
                let (slot, artifact) = (slot.clone(), artifact.clone());
                return violations.push(Violation::GateOnOther { step, slot, artifact });
            }
        }
        let weight = self.weight(slot);
        match gate {
            Gate::Verify { canary, baseline, weight: judged, .. } => {
                let against = baseline.as_ref().is_none_or(|other| other != canary && self.weight(other) > 0);
                if *judged != weight || weight == 0 || !against || (baseline.is_none() && weight < 100) {
                    violations.push(Violation::VerdictMisplaced { step, slot: canary.clone() });
                } else {
                    self.proven.insert((slot.clone(), artifact.clone(), weight));
                }
            }
            Gate::Approval { .. } | Gate::Watch { .. } => {}
            Gate::Ready { .. } | Gate::Soak { .. } => {
                if instances_prove && weight > 0 {
                    self.proven.insert((slot.clone(), artifact.clone(), weight));
                }
            }
        }
    }
}
