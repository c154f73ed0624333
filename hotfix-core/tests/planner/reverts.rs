//! Going back to an earlier release, carried out on the strict backends.

use hotfix_core::model::{Effect, Phase, Severity, Verb};
use hotfix_core::plan::{Action, Finding, Gate, Level, NothingToDo, OnFailure, Plan};
use hotfix_core::request::RollbackTo;

use super::cases::nothing;
use super::world::{World, at, deploy, policy, policy_with, production, rollback, slot, tag};

fn rolled_back(world: &mut World, to: RollbackTo) -> Plan {
    let plan = world.plan(&rollback(to), &policy());
    world.finish(&plan);
    plan
}

#[test]
fn going_back_is_never_held_up_by_the_sick_side_by_git_or_by_people() {
    let mut world = World::shop();
    let plan = world.plan(&deploy(None), &policy());
    world.finish(&plan);
    world.deployer.set_ready(&production(), &slot("green"), 0);
    world.git.set_link(hotfix_core::memory::Link::Down);
    let frozen = policy_with(|settings| {
        settings.freeze = vec![hotfix_core::policy::FreezeWindow {
            from: at("2026-11-20T00:00:00Z"),
            until: at("2026-11-23T00:00:00Z"),
            reason: "black friday".to_owned(),
            holds: Severity::ALL.into(),
        }];
    });
    let back = world.plan(&rollback(RollbackTo::LastKnownGood), &frozen);
    world.finish(&back);
    assert_eq!(world.live(&production()), (slot("blue"), tag("v2.1.0")));
}

#[test]
fn a_rollback_finds_versions_and_artifacts_and_nothing_to_do_when_it_is_there() {
    let mut world = World::shop();
    let old = world.release("v2.0.9");
    rolled_back(&mut world, RollbackTo::Version(old.version.clone()));
    assert_eq!(world.live(&production()), (slot("green"), tag("v2.0.9")));
    let there = NothingToDo::ReleaseIsLive { target: production(), release: old };
    assert_eq!(nothing(&world, &rollback(RollbackTo::Version("2.0.9".parse().unwrap()))), there);
    let artifact = world.release("v2.1.0").artifact.id();
    rolled_back(&mut world, RollbackTo::Artifact(artifact));
    assert_eq!(world.live(&production()), (slot("blue"), tag("v2.1.0")));
}

#[test]
fn a_split_that_was_left_behind_is_brought_together() {
    let mut world = World::shop();
    let deploy = world.plan(&deploy(None), &policy());
    let shift = deploy.steps().iter().position(|step| {
        step.phase == Phase::Production
            && matches!(&step.action, Action::Effect(Effect::Workload { verb: Verb::Shift { .. }, .. }))
    });
    world.run(&deploy, shift.unwrap() + 1);
    let plan = rolled_back(&mut world, RollbackTo::Version("2.1.0".parse().unwrap()));
    assert_eq!(plan.steps().len(), 3, "{plan}");
    assert_eq!(world.live(&production()), (slot("blue"), tag("v2.1.0")));

    let mut world = World::shop();
    let deploy = world.plan(&super::world::deploy(None), &policy());
    world.run(&deploy, shift.unwrap() + 1);
    rolled_back(&mut world, RollbackTo::LastKnownGood);
    assert_eq!(world.live(&production()), (slot("green"), tag("v2.0.9")));
}

/// A canary was left with traffic, and the live side has died.
fn abandoned() -> World {
    let mut world = World::shop();
    let deploy = world.plan(&deploy(None), &policy());
    let first = deploy
        .steps()
        .iter()
        .position(|step| matches!(&step.action, Action::Gate(Gate::Verify { weight: 10, .. })));
    world.run(&deploy, first.unwrap());
    world.deployer.set_ready(&production(), &slot("blue"), 0);
    world
}

#[test]
fn with_the_live_side_down_traffic_is_not_sent_there_to_make_room() {
    let Err(refused) = abandoned().try_plan(&rollback(RollbackTo::LastKnownGood), &policy()) else {
        panic!("planned")
    };
    assert_eq!(
        refused.to_string(),
        "refused for 1 reason\n  - traffic of production/shop is split (blue 90 %, green 10 %); finish that rollout or \
         roll it back first"
    );
    let mut world = abandoned();
    let plan = world.plan(&rollback(RollbackTo::Version("2.1.0".parse().unwrap())), &policy());
    world.run(&plan, 1);
    let workload = world.workload(&production());
    assert_eq!(workload.weights.unwrap().to_string(), "blue 100 %");
    assert_eq!(plan.steps().len(), 2, "{plan}");
}

#[test]
fn a_rollback_is_taken_back_from_everywhere_before_it_has_the_traffic() {
    let length = World::shop().plan(&rollback(RollbackTo::LastKnownGood), &policy()).steps().len();
    for done in 0..length {
        let mut world = World::shop();
        let plan = world.plan(&rollback(RollbackTo::LastKnownGood), &policy());
        if plan.steps()[done].on_failure == OnFailure::Escalate {
            assert_eq!(done, 3);
            break;
        }
        world.run(&plan, done);
        world.take_back(&plan, done);
        assert_eq!(world.live(&production()), (slot("blue"), tag("v2.1.0")), "after {done}");
    }
}

#[test]
fn what_the_deployer_wants_people_to_know_is_a_warning_of_every_plan() {
    let world = World::shop();
    let notice = "its budget does not cover the second slot";
    world.deployer.notice(&production(), notice);
    let expected = Finding::Noticed { target: production(), notice: notice.to_owned() };
    for request in [deploy(None), rollback(RollbackTo::LastKnownGood)] {
        let plan = world.plan(&request, &policy());
        let warnings: Vec<&Finding> = plan.report().at(Level::Warning).collect();
        assert_eq!(warnings.iter().filter(|finding| ***finding == expected).count(), 1, "{plan}");
    }
    assert_eq!(expected.to_string(), format!("{}: {notice}", production()));
}
