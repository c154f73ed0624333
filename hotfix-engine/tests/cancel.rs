//! Stopping a run: before the deploy, after it, and when there is no way back any more.

use std::time::Duration;

use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::memory::Trouble;
use hotfix_core::model::Phase;

use crate::world::{World, artifact_of, until, until_phase};

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_before_the_deploy_leaves_nothing() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);

    let run = world.start(&engine, &world.fix("version 2.1.1")).await;
    engine.cancel(run.run(), "bob", "wrong branch").await.expect("an open run");
    let outcome = run.outcome().await.expect("an end");

    let cancelled =
        Outcome::Cancelled { by: "bob".to_owned(), reason: "wrong branch".to_owned(), left: Vec::new() };
    assert_eq!(outcome, cancelled);
    assert_eq!(world.source.resolve("hotfix/2.1.1"), None, "the branch is gone");
    assert!(world.deployer.accepted(&crate::world::staging()).is_empty());
    assert!(world.deployer.accepted(&crate::world::production()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_after_the_deploy_takes_it_back() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let baseline = plan.baselines()[0].snapshot.release.artifact.id();
    let _traffic = world.traffic(None, 0);

    let mut run = engine.start(plan).await.expect("a free target");
    until_phase(&mut run, Phase::Production).await;
    engine.cancel(run.run(), "bob", "the customer called it off").await.expect("an open run");
    let outcome = run.outcome().await.expect("an end");

    let Outcome::RolledBack { cause: Cause::Cancelled { by, reason }, left } = outcome else {
        panic!("not rolled back: {outcome}");
    };
    assert_eq!((by.as_str(), reason.as_str()), ("bob", "the customer called it off"));
    assert_eq!(left, []);
    assert_eq!(world.source.resolve("hotfix/2.1.1"), None, "the branch is gone");
    world.serves(&baseline).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_beyond_the_point_of_no_return_goes_on() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let fix = artifact_of(&plan);
    // The branch and the candidate go through; the merge has to wait.
    for trouble in [Trouble::Duplicated, Trouble::Duplicated, Trouble::Busy { retry_after: None }] {
        world.source.trouble(trouble);
    }
    let _traffic = world.traffic(None, 0);

    let mut run = engine.start(plan).await.expect("a free target");
    let waiting = |kind: &ProgressKind| matches!(kind, ProgressKind::StepRetried { .. });
    until(&mut run, waiting).await;
    engine.cancel(run.run(), "bob", "too late").await.expect("an open run");
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    world.serves(&fix).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_ended_cannot_be_stopped() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    let run = world.start(&engine, &world.fix("version 2.1.1")).await;
    let id = run.run().clone();
    run.outcome().await.expect("an end");

    let error = engine.cancel(&id, "bob", "much too late").await.expect_err("it has ended");

    assert!(error.to_string().contains("the run has ended"), "{error}");
}

/// A run hears what another process says to it within about a second, also when nobody holds its engine any more.
#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_from_another_process() {
    let world = World::new().await;
    let (here, there) = (world.engine("w1"), world.engine("w2"));
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&here, &world.fix("version 2.1.1")).await;
    drop(here);
    until_phase(&mut run, Phase::Production).await;

    let said = tokio::time::Instant::now();
    there.cancel(run.run(), "bob", "the customer called it off").await.expect("an open run");
    until(&mut run, |kind| matches!(kind, ProgressKind::Signalled(_))).await;
    let heard = said.elapsed();
    assert!(heard <= Duration::from_millis(1_100), "heard after {heard:?}");
    let outcome = run.outcome().await.expect("an end");
    assert!(
        matches!(&outcome, Outcome::RolledBack { cause: Cause::Cancelled { by, .. }, .. } if by == "bob"),
        "{outcome}"
    );
}
