//! Targets and networks that misbehave.

use std::time::Duration;

use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::Outcome;
use hotfix_core::memory::{Link, Trouble};
use hotfix_core::model::{BranchName, Period, Phase};
use hotfix_core::port::{RunFilter, RunState};
use hotfix_engine::EngineError;
use tokio::time::Instant;

use crate::world::{World, artifact_of, until, until_judged, until_phase};

/// Everything that can happen to a request, twice in a row.
fn troubles() -> Vec<Trouble> {
    let all = [
        Trouble::ReplyLost,
        Trouble::RequestLost,
        Trouble::RequestHeld,
        Trouble::Duplicated,
        Trouble::Busy { retry_after: Some(Period::from_secs(3)) },
    ];
    all.iter().flat_map(|trouble| [trouble.clone(), trouble.clone()]).collect()
}

#[tokio::test(start_paused = true)]
async fn lost_delayed_and_doubled_messages_change_nothing_twice() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let fix = artifact_of(&plan);
    for trouble in troubles() {
        world.source.trouble(trouble.clone());
        world.deployer.trouble(trouble);
    }
    let _traffic = world.traffic(None, 0);

    let run = engine.start(plan).await.expect("a free target");
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    let before = (world.source.references(), world.source.accepted().len());
    let late = world.source.deliver_held().len() + world.deployer.deliver_held().len();
    assert!(late >= 6, "{late}");
    assert_eq!((world.source.references(), world.source.accepted().len()), before);
    world.serves(&fix).await;
    world.applied_once();
}

#[tokio::test(start_paused = true)]
async fn each_single_trouble_at_each_single_effect_is_survived() {
    let effects = {
        let world = World::new().await;
        let plan = world.plan(&world.engine("w1"), &world.fix("version 2.1.1")).await;
        plan.steps().iter().filter(|step| plan.effect(step.id).is_some()).count()
    };
    for trouble in troubles().into_iter().step_by(2) {
        for at in 0..effects {
            let world = World::new().await;
            let engine = world.engine("w1");
            let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
            let fix = artifact_of(&plan);
            let _traffic = world.traffic(None, 0);
            let mut run = engine.start(plan).await.expect("a free target");
            let mut begun = 0;
            until(&mut run, |kind| matches!(kind, ProgressKind::Started { .. })).await;
            while begun < at {
                until(&mut run, |kind| matches!(kind, ProgressKind::StepDone { .. })).await;
                begun += 1;
            }
            world.source.trouble(trouble.clone());
            world.deployer.trouble(trouble.clone());
            let outcome = run.outcome().await.expect("an end");

            assert!(matches!(outcome, Outcome::Succeeded { .. }), "{trouble:?} at {at}: {outcome}");
            world.source.deliver_held();
            world.deployer.deliver_held();
            world.serves(&fix).await;
            world.applied_once();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_reached_is_kept_until_it_can() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let fix = world.fix("version 2.1.1");
    let [plan, other] = [world.plan(&engine, &fix).await, world.plan(&engine, &fix).await];
    let _traffic = world.traffic(None, 0);
    let mut run = engine.start(plan).await.expect("a free target");
    until_phase(&mut run, Phase::Production).await;
    world.deployer.set_link(Link::Down);
    let cut = Instant::now();

    let unreachable = |kind: &ProgressKind| matches!(kind, ProgressKind::Attention { why, .. } if why.contains("cannot be reached"));
    let attention = until(&mut run, unreachable).await;

    let ProgressKind::Attention { why, .. } = attention.kind else { panic!("no attention") };
    assert_eq!(
        why,
        "production/shop cannot be reached: deployer.seal: unavailable: the link to the target is down \
         (target=production/shop)"
    );
    assert!(cut.elapsed() >= Duration::from_secs(120), "it was tried for as long as the step may take");
    let open = engine.runs(RunFilter::Open).await.expect("a readable store");
    assert_eq!(open[0].state, RunState::Quarantined);
    tokio::time::sleep(Duration::from_secs(24 * 3_600)).await;
    let error = world.engine("w2").start(other).await.expect_err("the claim stays");
    assert!(matches!(error, EngineError::Busy(_)), "{error}");

    world.deployer.set_link(Link::Up);
    let outcome = run.outcome().await.expect("an end");
    // The time of the undo was spent by the outage, so it gets it back.
    assert!(matches!(&outcome, Outcome::RolledBack { left, .. } if left.is_empty()), "{outcome}");
    assert!(engine.runs(RunFilter::Open).await.expect("a readable store").is_empty());
    world.serves(&world.baseline().await).await;
    world.applied_once();
}

#[tokio::test(start_paused = true)]
async fn an_outage_within_the_time_of_an_undo_is_waited_out_however_many_attempts_it_takes() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_judged(&mut run).await;
    world.deployer.set_link(Link::Down);
    engine.cancel(run.run(), "ada", "wrong fix").await.expect("an open run");

    until_phase(&mut run, Phase::RollingBack).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    world.deployer.set_link(Link::Up);

    let outcome = run.outcome().await.expect("an end");
    assert!(matches!(&outcome, Outcome::RolledBack { left, .. } if left.is_empty()), "{outcome}");
    world.serves(&world.baseline().await).await;
    world.applied_once();
}

#[tokio::test(start_paused = true)]
async fn a_remote_that_moved_before_the_merge_is_left_to_a_human_and_the_fix_stays() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let fix = artifact_of(&plan);
    let _traffic = world.traffic(None, 0);
    let mut run = engine.start(plan).await.expect("a free target");
    until_phase(&mut run, Phase::Production).await;
    let base = world.source.resolve("main").expect("a branch");
    let moved = world.source.commit(&[base], &[("other", Some("change"))], "somebody else");
    world.source.set_branch(&BranchName::new("main").expect("a branch"), Some(&moved));

    let id = run.run().clone();
    let outcome = run.outcome().await.expect("an end");

    let Outcome::Escalated { cause, .. } = &outcome else { panic!("{outcome}") };
    assert!(cause.to_string().contains("main"), "{cause}");
    world.serves(&fix).await;
    assert_eq!(world.source.resolve("main"), Some(moved), "nothing was overwritten");
    assert_eq!(world.source.resolve("v2.1.1"), None);
    assert!(world.source.resolve("hotfix/2.1.1").is_some(), "what a human needs to finish is there");
    engine.flush().await;
    let shown = world.notifier.shown();
    let last = &shown.last().expect("a message").message;
    assert_eq!(last.plain_title(), "A human must take over now");
    let body = last.plain_body();
    assert!(body.contains("main") && body.contains("2.1.1"), "it says what is left to do: {body}");
    assert!(engine.postmortem(&id).await.expect("a postmortem").contains("main"));
}
