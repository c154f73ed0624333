//! A fix goes from commits to live, merged back and tagged: what it means in the observed world, and what stands in
//! its way. The steps themselves are in `forward`.

use super::forward::{self, Deploy, Stage};
use super::safety::{Facts, Refusals, Site};
use super::{Finding, NothingToDo, Planned, Refusal, Refused, Subject, strategy};
use crate::model::{Artifact, Fenced, Release};
use crate::observe::{self, BranchState, ComposeFault, Composed, DevelopMerge, Fact, SourceGoal};
use crate::port::{Atomicity, Fence, SourceFacts, TagFact};
use crate::request::Goal;

/// Makes the plan of a deploy.
pub(super) fn plan(facts: Facts<'_>) -> Result<Planned, Refused> {
    let mut refusals = Refusals::default();
    let mut findings = Vec::new();
    let source = source(facts, &mut refusals);
    let production = facts.site(observe::production(facts.request, facts.policy), &mut refusals);
    if let (Some((source, goal)), Some(site)) = (&source, &production)
        && let Some(nothing) = nothing_to_do(facts, source, goal, site)
    {
        return Ok(Planned::NothingToDo(nothing));
    }
    let staging = observe::staging(facts.request, facts.policy);
    let targets = staging.iter().chain(production.as_ref().map(|site| &site.target));
    facts.deployable(targets, &mut refusals);
    facts.approved(&mut findings, &mut refusals);
    facts.not_frozen(&mut findings, &mut refusals);
    facts.staging_skippable(&mut findings, &mut refusals);
    facts.unclaimed(&claims(facts), &mut refusals);
    let strategy = strategy::choose(facts, production.as_ref(), &mut refusals);
    let fix = source.as_ref().and_then(|(_, goal)| fix(facts, goal, &mut findings, &mut refusals));
    let staging = staging.map(|target| facts.site(target, &mut refusals));
    let deploy = source.and_then(|(source, goal)| {
        let (composed, release) = fix?;
        drift(source, &goal, &release, production.as_ref(), &mut refusals);
        let production = stage(production?, &release, &mut refusals);
        let staging = match staging {
            None => None,
            Some(site) => Some(staging_stage(site?, &release, &mut refusals)?),
        };
        let (strategy, chosen) = strategy?;
        findings.insert(0, chosen);
        Some(Deploy { facts, goal, composed, release, production: production?, staging, strategy })
    });
    let deploy = refusals.settle(deploy)?;
    findings.extend(observations(&deploy));
    Ok(forward::plan(&deploy, findings))
}

fn claims(facts: Facts<'_>) -> Vec<Fenced> {
    let staging = observe::staging(facts.request, facts.policy).map(Fenced::Workload);
    let production = Fenced::Workload(observe::production(facts.request, facts.policy));
    [production, Fenced::Source(facts.request.service.clone())].into_iter().chain(staging).collect()
}

fn source<'a>(facts: Facts<'a>, refusals: &mut Refusals) -> Option<(&'a SourceFacts, SourceGoal)> {
    let subject = Subject::Source(facts.request.service.clone());
    let source = facts.known(facts.snapshot.source.as_ref(), subject.clone(), refusals)?;
    match observe::resolve(facts.request, facts.policy, source) {
        Err(faults) => {
            faults.into_iter().for_each(|fault| refusals.add(fault));
            None
        }
        Ok(goal) if !source.refs.contains_key(&goal.branch) => {
            refusals.add(Refusal::Unasked { what: subject });
            None
        }
        Ok(goal) => Some((source, goal)),
    }
}

/// Returns the fix and the release that is made of it.
fn fix(
    facts: Facts<'_>,
    goal: &SourceGoal,
    findings: &mut Vec<Finding>,
    refusals: &mut Refusals,
) -> Option<(Composed, Release)> {
    let composed = observe::composed(facts.request, facts.policy, goal, facts.snapshot)
        .map_err(|fault| refusals.add(refusal(facts, goal, fault)))
        .ok()?;
    let made = facts.snapshot.composition.as_ref().map(|composition| &composition.results);
    facts.known(made, Subject::Composition(facts.request.service.clone()), refusals);
    match &goal.branch_state {
        BranchState::At(at) if *at != goal.base.commit && *at != composed.fix => {
            refusals.add(Refusal::BranchExists { branch: goal.branch.clone(), at: at.clone() });
        }
        BranchState::Absent | BranchState::At(_) => {}
    }
    if composed.merged {
        refusals.add(refusal(facts, goal, ComposeFault::OtherTree));
    }
    findings.push(Finding::Change {
        from: goal.from.clone(),
        files: composed.diff.paths.len() as u64,
        lines: composed.diff.lines(),
    });
    facts.minimal(&composed.diff, findings, refusals);
    let artifact = wanted(facts, &composed.tree);
    let release = Release { version: goal.version.clone(), tag: goal.candidate.clone(), artifact };
    Some((composed, release))
}

fn refusal(facts: Facts<'_>, goal: &SourceGoal, fault: ComposeFault) -> Refusal {
    let what = Subject::Composition(facts.request.service.clone());
    let from = goal.from.clone();
    let diverged = |paths| Refusal::ProductionDiverged {
        branch: goal.production.0.clone(),
        head: goal.production.1.clone(),
        from: goal.from.clone(),
        commit: goal.base.commit.clone(),
        paths,
    };
    match fault {
        ComposeFault::Missing => Refusal::Unasked { what },
        ComposeFault::Gap(reason) => Refusal::Unread { what, reason },
        ComposeFault::Malformed => {
            Refusal::Unread { what, reason: "the answer does not fit the recipe".to_owned() }
        }
        ComposeFault::PickConflict(paths) => Refusal::PickConflict { from, paths },
        ComposeFault::NothingNew => Refusal::FixAlreadyThere { from },
        ComposeFault::NotBased => Refusal::NotBased { branch: goal.branch.clone(), from },
        ComposeFault::MergeConflict(paths) => diverged(paths),
        ComposeFault::OtherTree => diverged(Vec::new()),
    }
}

/// Returns what is deployed for a tree: the tree itself, or the image that the request says was built of it.
fn wanted(facts: Facts<'_>, tree: &crate::model::ObjectId) -> Artifact {
    match &facts.request.goal {
        Goal::Deploy { image: Some(image), .. } => Artifact::Image(image.clone()),
        _ => Artifact::Tree(tree.clone()),
    }
}

fn nothing_to_do(
    facts: Facts<'_>,
    source: &SourceFacts,
    goal: &SourceGoal,
    site: &Site<'_>,
) -> Option<NothingToDo> {
    let live = &site.state.release;
    let done = match observe::composed(facts.request, facts.policy, goal, facts.snapshot) {
        Err(ComposeFault::NothingNew) => {
            let same_image = match wanted(facts, &goal.base.tree) {
                image @ Artifact::Image(_) => live.artifact == image,
                Artifact::Tree(_) => true,
            };
            same_image && runs(live, &goal.base, source)
        }
        Ok(composed) => {
            let is_release = |fact: &TagFact| fact.tree == composed.tree && fact.commit == goal.production.1;
            let tags = observe::ReleaseTags::new(&source.tags, &facts.policy.source.tag_prefix);
            let published = tags.releases().any(|(_, _, fact)| is_release(fact));
            live.artifact == wanted(facts, &composed.tree) && published
        }
        Err(_) => false,
    };
    let (target, release) = (site.target.clone(), live.clone());
    (done && site.split().is_none()).then_some(NothingToDo::FixIsLive { target, release })
}

/// Returns whether what is live was made of what the tag names.
fn runs(live: &Release, tag: &TagFact, source: &SourceFacts) -> bool {
    match &live.artifact {
        Artifact::Tree(tree) => *tree == tag.tree,
        Artifact::Image(_) => source.tags.get(&live.tag).is_some_and(|own| own.tree == tag.tree),
    }
}

fn drift(
    source: &SourceFacts,
    goal: &SourceGoal,
    release: &Release,
    site: Option<&Site<'_>>,
    refusals: &mut Refusals,
) {
    let Some(site) = site else { return };
    let live = &site.state.release;
    if live.artifact != release.artifact && !runs(live, &goal.base, source) {
        refusals.add(Refusal::Drift {
            target: site.target.clone(),
            live: live.tag.clone(),
            artifact: live.artifact.id(),
            from: goal.from.clone(),
        });
    }
}

/// Returns how a workload gets the release; on the live slot when it runs it already.
fn stage<'a>(site: Site<'a>, release: &Release, refusals: &mut Refusals) -> Option<Stage<'a>> {
    if let Some(weights) = site.split() {
        refusals.add(Refusal::RolloutUnderWay { target: site.target.clone(), weights });
    }
    if site.state.release.artifact == release.artifact {
        return Some(Stage { site, spare: None });
    }
    let spare = site.spare(refusals)?;
    Some(Stage { site, spare: Some(spare) })
}

fn staging_stage<'a>(site: Site<'a>, release: &Release, refusals: &mut Refusals) -> Option<Stage<'a>> {
    if !site.workload.is_healthy() {
        refusals.add(Refusal::StagingUnhealthy {
            target: site.target.clone(),
            ready: site.state.ready,
            replicas: site.state.replicas.get(),
            faults: site.state.faults.clone(),
        });
    }
    stage(site, release, refusals)
}

/// What is worth knowing about the world as it is.
fn observations(deploy: &Deploy<'_>) -> Vec<Finding> {
    let Deploy { facts, goal, composed, .. } = deploy;
    let mut findings = Vec::new();
    if !goal.taken.is_empty() {
        findings.push(Finding::VersionsTaken { taken: goal.taken.clone(), version: goal.version.clone() });
    }
    for stage in deploy.staging.iter().chain([&deploy.production]) {
        findings.extend(stage.finding());
        findings.extend(stage.site.notices());
    }
    findings.extend(baseline(*facts, &deploy.production));
    if facts.snapshot.version_control.atomic == Atomicity::PerReference {
        findings.push(Finding::PerReference);
    }
    let mut stages = deploy.staging.iter().chain([&deploy.production]);
    if stages.any(|stage| stage.site.can.fence == Fence::None) {
        findings.push(Finding::Unfenced);
    }
    match (&composed.develop, &goal.develop) {
        (DevelopMerge::Conflict(paths), Some((branch, _))) => findings.push(Finding::DevelopConflict {
            branch: branch.clone(),
            fix: composed.fix.clone(),
            paths: paths.clone(),
        }),
        (DevelopMerge::Contained, Some((branch, _))) => {
            findings.push(Finding::DevelopHasIt { branch: branch.clone() });
        }
        _ => {}
    }
    findings
}

fn baseline(facts: Facts<'_>, production: &Stage<'_>) -> Vec<Finding> {
    let Site { target, state, workload, .. } = &production.site;
    if production.spare.is_none() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if !workload.is_healthy() {
        findings.push(Finding::BaselineShort {
            target: target.clone(),
            ready: state.ready,
            replicas: state.replicas.get(),
            faults: state.faults.clone(),
        });
    }
    let artifact = &state.release.artifact;
    match facts.known_good(target) {
        Some(Fact::Known { value, .. }) if value.iter().any(|good| good.release.artifact == *artifact) => {}
        Some(Fact::Known { .. }) => {
            findings.push(Finding::FirstUse { target: target.clone(), release: state.release.clone() });
        }
        Some(Fact::Gap { reason, .. }) => {
            findings.push(Finding::ProofUnread { target: target.clone(), reason: reason.clone() });
        }
        None => {
            let reason = "it was not asked for".to_owned();
            findings.push(Finding::ProofUnread { target: target.clone(), reason });
        }
    }
    findings
}
