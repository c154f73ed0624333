//! The steps of a deploy: branch, candidate, staging, production, publish, clean up.

use super::draft::{self, Expect, Frame, Steps};
use super::rollback::Undoing;
use super::safety::{Facts, Site};
use super::strategy::{Homecoming, Rollout};
use super::{Baseline, Finding, Gate, Planned};
use crate::model::{ArtifactId, Phase, RefName, RefUpdate, Release, SlotName, Verb};
use crate::observe::{BranchState, Composed, DevelopMerge, SourceGoal};
use crate::request::Strategy;

/// A deploy that nothing stands in the way of.
#[derive(Debug)]
pub(super) struct Deploy<'a> {
    pub(super) facts: Facts<'a>,
    pub(super) goal: SourceGoal,
    pub(super) composed: Composed,
    pub(super) release: Release,
    pub(super) production: Stage<'a>,
    pub(super) staging: Option<Stage<'a>>,
    pub(super) strategy: Strategy,
}

/// A workload and the slot that the release goes to; `None`: it is live there already.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) site: Site<'a>,
    pub(super) spare: Option<SlotName>,
}

/// Returns the plan of a deploy.
pub(super) fn plan(deploy: &Deploy<'_>, mut findings: Vec<Finding>) -> Planned {
    let artifact = deploy.release.artifact.id();
    let mut steps = Steps::new(deploy.facts);
    prepare(deploy, &mut steps);
    if let Some(staging) = &deploy.staging {
        steps.phase(Phase::Staging);
        staging.prove(deploy, &artifact, &mut steps);
    }
    steps.phase(Phase::Production);
    deploy.production.change(deploy, &artifact, &mut steps);
    steps.phase(Phase::Publishing);
    steps.point_of_no_return();
    publish(deploy, &mut steps);
    deploy.production.settle(deploy, &artifact, Homecoming::Judged, &mut steps);
    if let Some(staging) = &deploy.staging {
        let soak = Homecoming::Soaked(deploy.facts.policy.rollout.staging_soak);
        staging.settle(deploy, &artifact, soak, &mut steps);
    }
    steps.references(vec![RefUpdate::delete(deploy.goal.branch.clone(), deploy.composed.fix.clone())]);

    let severity = deploy.facts.request.severity;
    let within = deploy.facts.policy.severities.of(severity).deploy_within;
    findings.push(Finding::DeployTarget { severity, within, longest: steps.longest() });
    let stages = deploy.staging.iter().chain([&deploy.production]);
    let frame = Frame {
        release: Some(deploy.release.clone()),
        baselines: stages.map(Stage::baseline).collect(),
        undoing: Undoing { artifact: Some(artifact) },
        findings,
    };
    draft::finish(deploy.facts, steps, frame)
}

fn prepare(deploy: &Deploy<'_>, steps: &mut Steps<'_>) {
    let Deploy { goal, composed, .. } = deploy;
    let (branch, fix) = (goal.branch.clone(), composed.fix.clone());
    match &goal.branch_state {
        BranchState::Absent => steps.references(vec![RefUpdate::create(branch, fix)]),
        BranchState::At(at) if *at != fix => {
            steps.references(vec![RefUpdate::update(branch, at.clone(), fix)])
        }
        BranchState::At(_) => {}
    }
    let candidate = RefName::tag(&goal.candidate);
    steps.references(vec![RefUpdate::create(candidate, composed.candidate.clone())]);
}

/// Production, the tag on it, and develop: together or not at all.
fn publish(deploy: &Deploy<'_>, steps: &mut Steps<'_>) {
    let Deploy { goal, composed, .. } = deploy;
    let (production, old) = goal.production.clone();
    let mut updates = vec![
        RefUpdate::update(production, old, composed.production.clone()),
        RefUpdate::create(RefName::tag(&goal.tag), composed.release.clone()),
    ];
    if let (DevelopMerge::Merged(merge), Some((develop, old))) = (&composed.develop, &goal.develop) {
        updates.push(RefUpdate::update(develop.clone(), old.clone(), merge.clone()));
    }
    steps.references(updates);
}

impl Stage<'_> {
    /// What is worth knowing about the slot that is used.
    pub(super) fn finding(&self) -> Option<Finding> {
        let target = self.site.target.clone();
        let Some(slot) = &self.spare else {
            return Some(Finding::AlreadyLive { target });
        };
        let held = self.site.workload.slot(slot)?;
        Some(Finding::SlotReplaced { target, slot: slot.clone(), release: held.release.clone() })
    }

    fn baseline(&self) -> Baseline {
        Baseline { target: self.site.target.clone(), snapshot: self.site.baseline.clone() }
    }

    /// Runs the release where only its instances are looked at.
    fn prove(&self, deploy: &Deploy<'_>, artifact: &ArtifactId, steps: &mut Steps<'_>) {
        let soak = deploy.facts.policy.rollout.staging_soak;
        let Some(spare) = &self.spare else {
            steps.ready(&self.site.target, &self.site.live, artifact);
            return steps.soak(&self.site.target, &self.site.live, artifact, soak);
        };
        let live = self.site.state.release.artifact.id();
        self.rollout(deploy, artifact, &live, spare).run_unjudged(soak, steps);
    }

    /// Runs the release where users are.
    fn change(&self, deploy: &Deploy<'_>, artifact: &ArtifactId, steps: &mut Steps<'_>) {
        let Some(spare) = &self.spare else {
            steps.ready(&self.site.target, &self.site.live, artifact);
            return steps.verify(Gate::Verify {
                target: self.site.target.clone(),
                canary: self.site.live.clone(),
                artifact: artifact.clone(),
                baseline: None,
                weight: 100,
                later: 0,
            });
        };
        let live = self.site.state.release.artifact.id();
        let rollout = self.rollout(deploy, artifact, &live, spare);
        rollout.run(deploy.strategy, &deploy.facts.policy.rollout, steps);
    }

    fn rollout<'b>(
        &'b self,
        deploy: &'b Deploy<'_>,
        artifact: &'b ArtifactId,
        live_artifact: &'b ArtifactId,
        slot: &'b SlotName,
    ) -> Rollout<'b> {
        let Site { target, live, state, .. } = &self.site;
        let (release, replicas) = (&deploy.release, state.replicas);
        Rollout { target, release, artifact, live, live_artifact, slot, replicas }
    }

    /// Stops what was live before, or puts the release in its place where others deploy to that slot.
    fn settle(&self, deploy: &Deploy<'_>, artifact: &ArtifactId, proof: Homecoming, steps: &mut Steps<'_>) {
        let Some(spare) = &self.spare else { return };
        let Site { target, live, state, workload, .. } = &self.site;
        if workload.home.as_ref() == Some(live) {
            let home = Rollout { live: spare, slot: live, ..self.rollout(deploy, artifact, artifact, spare) };
            return home.come_home(proof, steps);
        }
        let old = state.release.artifact.id();
        let expect = Expect { live: artifact, holds: Some((live, &old)) };
        steps.verb(target, Verb::Retire { slot: live.clone() }, expect);
    }
}
