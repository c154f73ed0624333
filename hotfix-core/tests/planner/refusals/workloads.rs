//! Refusals that come from workloads, other runs, what backends can do, and what could not be read.

use hotfix_core::model::{
    Effect, Fault, Fenced, IncidentId, Phase, RunId, Severity, Verb, VerbName, WorkerName,
};
use hotfix_core::observe::{Fact, Snapshot};
use hotfix_core::plan::{Action, plan};
use hotfix_core::port::{
    Atomicity, Deployer, DeployerCapabilities, Fence, RunState, RunSummary, TrafficSplit,
    VersionControlCapabilities,
};
use hotfix_core::request::{Fix, Goal, RollbackTo, Strategy, Unfenced};
use hotfix_core::{Error, ErrorKind};

use super::super::world::{World, at, branch, deploy, policy, production, request, rollback, slot, staging};
use super::{deploy_with, lines, refused};

#[test]
fn workloads_must_be_fit_to_be_changed() {
    let world = World::shop();
    world.deployer.report(
        &staging(),
        &slot("blue"),
        Fault::Exited { instance: "shop-1".to_owned(), status: "exit status 1".to_owned() },
    );
    world.deployer.set_ready(&staging(), &slot("blue"), 0);
    refused(
        &world,
        &deploy(None),
        &policy(),
        &[
            "staging/shop is not healthy before the deploy (0 of 1 ready, shop-1 ended: exit status 1); mend it first",
        ],
    );

    let world = World::shop();
    world.deployer.add_target(&production(), [slot("blue"), slot("green")]);
    let nothing =
        "nothing is live on production/shop, so there is nothing to go back to; deploy a first release there";
    refused(&world, &deploy(None), &policy(), &[nothing]);
    refused(&world, &rollback(RollbackTo::LastKnownGood), &policy(), &[nothing]);

    let world = World::shop();
    world.deployer.add_target(&production(), [slot("blue")]);
    world.deployer.install(&production(), &slot("blue"), &world.release("v2.1.0"), 3.try_into().unwrap());
    let slots = "production/shop has no slot beside the live one; give it a second slot";
    refused(&world, &deploy(None), &policy(), &[slots]);
    refused(&world, &rollback(RollbackTo::LastKnownGood), &policy(), &[slots]);
}

#[test]
fn what_somebody_else_began_is_finished_first() {
    let mut world = World::shop();
    let plan = world.plan(&deploy(None), &policy());
    let shift = plan.steps().iter().position(|step| {
        matches!(&step.action, Action::Effect(Effect::Workload { verb: Verb::Shift { .. }, .. }))
            && step.phase == Phase::Production
    });
    world.run(&plan, shift.unwrap() + 1);
    let split = "traffic of production/shop is split (blue 90 %, green 10 %); finish that rollout or roll it back first";
    let request = deploy_with(|fix, _| *fix = Fix::Branch(branch("hotfix/2.1.1")));
    refused(&world, &request, &policy(), &[split]);
}

#[test]
fn a_paused_or_changing_workload_is_left_alone() {
    let (world, policy, request) = (World::shop(), policy(), deploy(None));
    let mut snapshot = world.observe(&request, &policy);
    let facts = snapshot.workloads.get_mut(&production()).unwrap();
    if let Some(Fact::Known { value, .. }) = &mut facts.workload {
        value.rollout = hotfix_core::model::Rollout::Paused;
    }
    if let Some(Fact::Known { value, .. }) = &mut facts.snapshot {
        value.release = world.release("v2.0.9");
    }
    let expected = [
        "production/shop is paused by somebody; resume it first",
        "production/shop changed while it was read: v2.1.0 first, then v2.0.9; plan again when it is quiet",
    ];
    assert_eq!(lines(plan(&request, &snapshot, &policy)), expected);
}

fn held(target: Fenced) -> RunSummary {
    RunSummary {
        run: RunId::new("run-7").unwrap(),
        state: RunState::Active,
        holder: WorkerName::new("host-1").unwrap(),
        epoch: 1,
        claims: vec![target],
        incident: IncidentId::new("inc-1").unwrap(),
        opened_at: at("2026-11-21T03:30:00Z"),
        expires_at: at("2026-11-21T04:00:10Z"),
        entries: 4,
    }
}

#[test]
fn a_busy_target_says_who_since_when_and_how_to_watch() {
    let mut world = World::shop();
    world.runs.push(held(Fenced::Workload(production())));
    let busy = "production/shop is held by run run-7 of host-1 since 2026-11-21 03:30:00 UTC (lease until 2026-11-21 \
                04:00:10 UTC); watch or resume run run-7 instead of starting another";
    refused(&world, &deploy(None), &policy(), &[busy]);
    refused(&world, &rollback(RollbackTo::LastKnownGood), &policy(), &[busy]);
    world.plan(&request(Severity::P1, Goal::Create { from: None }), &policy());

    world.runs = vec![held("source/shop".parse().unwrap()), held("production/other".parse().unwrap())];
    refused(&world, &deploy(None), &policy(), &[&busy.replace("production/shop", "source/shop")]);
    world.plan(&rollback(RollbackTo::LastKnownGood), &policy());
}

fn with_deployer(world: &World, change: impl FnOnce(&mut DeployerCapabilities)) -> World {
    let mut capabilities = world.deployer.capabilities(&production());
    change(&mut capabilities);
    let mut other = World::shop();
    other.deployer = other.deployer.with_capabilities(capabilities);
    other
}

#[test]
fn a_deployer_must_be_able_to_do_what_the_plan_needs() {
    let switch = with_deployer(&World::shop(), |can| can.split = TrafficSplit::Switch);
    refused(
        &switch,
        &deploy(Some(Strategy::Canary)),
        &policy(),
        &["canary needs traffic in percents, and the deployer sends it only as a whole; use blue-green"],
    );
    let instead = switch.plan(&deploy(None), &policy());
    assert_eq!(
        instead.report().findings[0].to_string(),
        "blue-green for production: the policy's choice is canary, but the deployer sends traffic only as a whole"
    );

    let weak = with_deployer(&World::shop(), |can| {
        can.verbs.remove(&VerbName::Restore);
        can.fence = Fence::None;
    });
    let mut request = deploy(None);
    let verb = "the deployer cannot restore, which every plan needs; use a deployer that can";
    let fence = "the deployer does not compare stamps, so a delayed request could undo a rollback; accept that in the \
                 request (unfenced) or use a deployer that does";
    refused(&weak, &request, &policy(), &[verb, fence]);
    request.unfenced = Unfenced::Accept;
    refused(&weak, &request, &policy(), &[verb]);
}

#[test]
fn gaps_and_old_facts_refuse_and_say_what_is_missing() {
    let (world, policy, request) = (World::shop(), policy(), deploy(None));
    let version_control = VersionControlCapabilities { atomic: Atomicity::AllOrNothing, remote: None };
    let nothing = Snapshot::new(at("2026-11-21T04:00:00Z"), version_control);
    let mend = "is missing in the snapshot; observe until nothing is missing";
    let subjects = ["the repository of shop", "production/shop", "the list of open runs", "staging/shop"];
    assert_eq!(lines(plan(&request, &nothing, &policy)), subjects.map(|what| format!("{what} {mend}")));

    let mut snapshot = world.observe(&request, &policy);
    let down = || Error::new(ErrorKind::Timeout, "deployer.snapshot", "no answer in 10s");
    snapshot.record_snapshot(&production(), Err(down()), at("2026-11-21T04:00:00Z"));
    if let Some(Fact::Known { at: when, .. }) = &mut snapshot.source {
        *when = at("2026-11-21T03:54:59Z");
    }
    let expected = [
        "the repository of shop was read at 2026-11-21 03:54:59 UTC, more than 5m before the plan; observe again",
        "the snapshot of production/shop could not be read: deployer.snapshot: timed out: no answer in 10s; mend that \
         and plan again",
    ];
    assert_eq!(lines(plan(&request, &snapshot, &policy)), expected);

    let mut snapshot = world.observe(&request, &policy);
    let recipe = snapshot.composition.as_ref().unwrap().recipe.clone();
    snapshot.record_composition(recipe, Ok(Vec::new()), at("2026-11-21T04:00:00Z"));
    let expected = "what is composed for shop could not be read: the answer does not fit the recipe; mend that and \
                    plan again";
    assert_eq!(lines(plan(&request, &snapshot, &policy)), [expected]);
}

#[test]
fn only_proven_releases_are_gone_back_to() {
    let mut world = World::shop();
    let never = |what: &str, proven: &str| {
        format!("{what} was never proven healthy on production/shop; proven are: {proven}")
    };
    refused(
        &world,
        &rollback(RollbackTo::Version("1.0.0".parse().unwrap())),
        &policy(),
        &[&never("version 1.0.0", "v2.1.0, v2.0.9")],
    );
    world.proven.clear();
    refused(
        &world,
        &rollback(RollbackTo::LastKnownGood),
        &policy(),
        &[&never("a release other than the live one", "none")],
    );
    refused(
        &world,
        &rollback(RollbackTo::Artifact("tree:abc".parse().unwrap())),
        &policy(),
        &[&never("tree:abc", "none")],
    );
}

#[test]
fn slots_that_share_their_instances_can_only_be_rolled() {
    let shared = with_deployer(&World::shop(), |can| can.split = TrafficSplit::Instances);
    for strategy in [Strategy::Canary, Strategy::BlueGreen] {
        let reason = format!(
            "{strategy} needs a release that runs beside the live one, and on this workload its instances replace those \
             of the live one; use rolling"
        );
        refused(&shared, &deploy(Some(strategy)), &policy(), &[&reason]);
    }
    let finding = |strategy| shared.plan(&deploy(strategy), &policy()).report().findings[0].to_string();
    assert_eq!(finding(Some(Strategy::Rolling)), "rolling for production: the request names it");
    assert_eq!(finding(Some(Strategy::Direct)), "direct for production: the request names it");
    assert_eq!(
        finding(None),
        "rolling for production: the policy's choice is canary, but the deployer replaces the instances of the live \
         release one by one"
    );
    shared.deployer.set_ready(&production(), &slot("blue"), 0);
    assert_eq!(
        finding(None),
        "direct for production: nothing of the live side is ready, so canary has nothing to share traffic with"
    );
}

#[test]
fn a_workload_that_is_replaced_as_a_whole_takes_a_release_directly() {
    let whole = with_deployer(&World::shop(), |can| can.split = TrafficSplit::AllInstances);
    for strategy in [Strategy::Canary, Strategy::BlueGreen, Strategy::Rolling] {
        let reason = format!(
            "{strategy} needs a release that takes a part of the traffic or none, and on this workload it replaces all \
             instances of the live one at once; use direct"
        );
        refused(&whole, &deploy(Some(strategy)), &policy(), &[&reason]);
    }
    let finding = |strategy| whole.plan(&deploy(strategy), &policy()).report().findings[0].to_string();
    assert_eq!(finding(Some(Strategy::Direct)), "direct for production: the request names it");
    assert_eq!(
        finding(None),
        "direct for production: the policy's choice is canary, but the deployer replaces all instances of the live \
         release at once"
    );
}
