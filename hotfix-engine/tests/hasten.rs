//! Going to all of the traffic at once: the shares are left out, the verdict is not.

use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::{Cause, Outcome, StepState};
use hotfix_core::model::{ArtifactId, Verb};
use hotfix_core::plan::{Action, Gate, Plan};
use hotfix_core::port::Deployer as _;

use crate::world::{World, artifact_of, production, slot, until, until_judged};

/// Which shares of the traffic the fix got, one after the other.
fn shares(world: &World) -> Vec<u8> {
    let accepted = world.deployer.accepted(&production());
    let share = |verb: &Verb| match verb {
        Verb::Shift { weights } => Some(weights.of(&slot("green"))),
        _ => None,
    };
    accepted.iter().filter_map(|accepted| share(&accepted.verb)).collect()
}

async fn a_plan(world: &World) -> (hotfix_engine::Engine, Plan, ArtifactId) {
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let baseline = plan.baselines()[0].snapshot.release.artifact.id();
    (engine, plan, baseline)
}

#[tokio::test(start_paused = true)]
async fn a_hastened_canary_goes_to_all_of_the_traffic_and_is_judged_there() {
    let world = World::new().await;
    let (engine, plan, _) = a_plan(&world).await;
    let fix = artifact_of(&plan);
    let _traffic = world.traffic(None, 0);

    let mut run = engine.start(plan.clone()).await.expect("a free target");
    until_judged(&mut run).await;
    let id = run.run().clone();
    engine.hasten(&id, "bob", "customers cannot pay").await.expect("an open run");
    until(&mut run, |kind| matches!(kind, ProgressKind::Signalled(entry) if entry.by == "bob")).await;
    let decided = until(&mut run, |kind| matches!(kind, ProgressKind::Decided { .. })).await;
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    assert_eq!(shares(&world), [10, 100]);
    world.serves(&fix).await;
    let ProgressKind::Decided { step, verdict } = decided.kind else { unreachable!("it was waited for") };
    let gate = plan.step(step).map(|step| &step.action);
    assert!(matches!(gate, Some(Action::Gate(Gate::Verify { weight: 100, .. }))), "{gate:?}");
    // What was counted at the share that was left counts on.
    assert!(verdict.totals.baseline.requests() > 0, "{verdict}");
    let run = engine.state(&id).await.expect("a journal");
    let left_out = run.steps().iter().filter(|state| **state == StepState::LeftOut).count();
    assert_eq!(left_out, 7, "the looks at 10, 25, 50 and 75 % and the shifts to 25, 50 and 75 %");
    world.applied_once();
}

#[tokio::test(start_paused = true)]
async fn a_bad_fix_that_was_hastened_is_taken_back_from_all_of_the_traffic() {
    let world = World::new().await;
    let (engine, plan, baseline) = a_plan(&world).await;
    let calm = world.traffic(None, 0);
    let fix = artifact_of(&plan);

    let mut run = engine.start(plan).await.expect("a free target");
    until_judged(&mut run).await;
    engine.hasten(run.run(), "bob", "customers cannot pay").await.expect("an open run");
    until(&mut run, |kind| matches!(kind, ProgressKind::Signalled(_))).await;
    drop(calm);
    let _traffic = world.traffic(Some(fix), 300);
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::RolledBack { cause: Cause::Verdict { .. }, .. }), "{outcome}");
    assert_eq!(shares(&world), [10, 100]);
    world.serves(&baseline).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_left_out_is_not_taken_for_begun() {
    let world = World::new().await;
    let (engine, plan, baseline) = a_plan(&world).await;
    let _traffic = world.traffic(None, 0);

    let run = engine.start(plan).await.expect("a free target");
    engine.hasten(run.run(), "bob", "customers cannot pay").await.expect("an open run");
    engine.cancel(run.run(), "bob", "wrong branch").await.expect("an open run");
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Cancelled { .. }), "{outcome}");
    world.serves(&baseline).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_comes_after_a_crash_leaves_out_the_same() {
    let world = World::new().await;
    let (engine, plan, _) = a_plan(&world).await;
    let fix = artifact_of(&plan);
    let _traffic = world.traffic(None, 0);
    let mut run = engine.start(plan).await.expect("a free target");
    until_judged(&mut run).await;
    engine.hasten(run.run(), "bob", "customers cannot pay").await.expect("an open run");
    until(&mut run, |kind| matches!(kind, ProgressKind::Signalled(_))).await;
    drop(run);

    let mut resumed = engine.resume_all().await.expect("a store");
    let outcome = resumed.remove(0).outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    assert_eq!(shares(&world), [10, 100]);
    world.serves(&fix).await;
    world.applied_once();
    let workload = world.deployer.observe(&production()).await.expect("a known target");
    assert_eq!(workload.slot(&slot("blue")), None, "the old side is empty");
}
