//! One run, several drivers: crashes at every entry, takeovers, zombies, and who may not start meanwhile.

use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::Outcome;
use hotfix_core::plan::Planned;
use hotfix_core::port::{IncidentStore as _, RunFilter};
use hotfix_engine::EngineError;

use crate::world::{World, artifact_of, request, until, until_judged};

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_dropped_after_any_entry_can_be_replaced_at_once() {
    let whole = {
        let world = World::new().await;
        let engine = world.engine("w1");
        let _traffic = world.traffic(None, 0);
        let run = world.start(&engine, &world.fix("version 2.1.1")).await;
        let id = run.run().clone();
        run.outcome().await.expect("an end");
        engine.state(&id).await.expect("a readable journal").entries()
    };
    assert!(whole > 40, "{whole}");
    for entries in 1..whole {
        let world = World::new().await;
        let engine = world.engine("w1");
        let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
        let fix = artifact_of(&plan);
        let _traffic = world.traffic(None, 0);
        let mut run = engine.start(plan).await.expect("a free target");
        for _ in 0..entries {
            run.next().await.expect("an entry").expect("a readable journal");
        }
        drop(run);

        let resumed = engine.resume_all().await.expect("a readable store").pop();
        match resumed {
            Some(run) => {
                let outcome = run.outcome().await.expect("an end");
                assert!(matches!(outcome, Outcome::Succeeded { .. }), "after {entries}: {outcome}");
            }
            // Reading the journal may lag behind writing it: the run had ended.
            None => assert!(
                engine.runs(RunFilter::Open).await.expect("a readable store").is_empty(),
                "after {entries}"
            ),
        }
        world.serves(&fix).await;
        world.applied_once();
        assert!(engine.resume_all().await.expect("a readable store").is_empty(), "there is nothing left");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_run_on_the_target_is_refused_with_who_and_since_when() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let fix = world.fix("version 2.1.1");
    let [first, second] = [world.plan(&engine, &fix).await, world.plan(&engine, &fix).await];
    let _traffic = world.traffic(None, 0);
    let run = engine.start(first).await.expect("a free target");

    let error = world.engine("w2").start(second).await.expect_err("the target is taken");

    assert!(matches!(&error, EngineError::Busy(claim) if claim.run == *run.run()), "{error}");
    let expected = "source/shop belongs to run run-1, driven by w1 since 2026-03-01 03:00:00 UTC, whose lease lasts \
                    until 03:00:15 UTC unless renewed; follow it with `watch run-1`, or wait until it ends";
    assert_eq!(error.to_string(), expected);
    let refused = match world.engine("w2").plan(&request(&fix)).await {
        Err(EngineError::Refused(refused)) => refused.to_string(),
        other => panic!("planned: {:?}", other.map(|planned| matches!(planned, Planned::Plan(_)))),
    };
    assert!(refused.contains("run-1") && refused.contains("w1"), "{refused}");
    run.outcome().await.expect("an end");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_somebody_drives_is_not_taken() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_judged(&mut run).await;
    let other = world.engine("w2");

    assert!(other.resume_all().await.expect("a readable store").is_empty());
    let error = other.resume(run.run()).await.expect_err("it is driven");

    assert!(matches!(error, EngineError::Driven(_)), "{error}");
    assert!(error.to_string().starts_with("run run-1 is driven by w1 until "), "{error}");
    assert!(matches!(run.outcome().await.expect("an end"), Outcome::Succeeded { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_lost_its_run_is_kept_out_and_says_so() {
    let world = World::new().await;
    let zombie = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    let mut first = world.start(&zombie, &world.fix("version 2.1.1")).await;
    until_judged(&mut first).await;
    // A process of the same name owns the lease: the first one is not even asked.
    let engine = world.engine("w1");

    let second = engine.resume_all().await.expect("a readable store").pop().expect("one run");
    let (lost, outcome) = tokio::join!(first.outcome(), second.outcome());

    let lost = lost.expect_err("somebody else drives it");
    assert_eq!(lost.to_string(), "run run-1 was taken over by another worker; follow it with `watch run-1`");
    assert!(matches!(lost, EngineError::TakenOver { .. }));
    assert!(matches!(outcome.expect("an end"), Outcome::Succeeded { .. }));
    world.applied_once();
}

#[tokio::test(start_paused = true)]
async fn a_run_is_still_known_to_be_driven_here_after_its_former_driver_is_gone() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    let mut first = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_judged(&mut first).await;

    let second = engine.resume(first.run()).await.expect("the same worker owns it");
    first.outcome().await.expect_err("the second one drives it");

    assert!(
        engine.resume_all().await.expect("a readable store").is_empty(),
        "the second one still drives it"
    );
    assert!(matches!(second.outcome().await.expect("an end"), Outcome::Succeeded { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_follower_goes_on_where_it_was() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    let id = run.run().clone();
    let cursor = until(&mut run, |kind| matches!(kind, ProgressKind::Decided { .. })).await.seq;

    let mut rest = world.engine("w2").watch(&id, cursor + 1);
    let mut here = Vec::new();
    while let Some(progress) = run.next().await {
        here.push(progress.expect("a readable journal"));
    }
    // What is not journaled is heard only where the run is driven.
    here.retain(|progress| !matches!(progress.kind, ProgressKind::InstanceReady { .. }));
    let mut there = Vec::new();
    while let Some(progress) = futures_util::StreamExt::next(&mut rest).await {
        there.push(progress.expect("a readable journal"));
    }

    assert_eq!(here.first().map(|progress| progress.seq), Some(cursor + 1));
    let kinds = |all: &[hotfix_core::communicate::Progress]| -> Vec<_> {
        all.iter().map(|progress| (progress.seq, progress.kind.to_string())).collect()
    };
    assert_eq!(kinds(&here), kinds(&there));
    let entries = world.store.journal(&id, 0).await.expect("a journal").len() as u64;
    assert_eq!(there.last().map(|progress| progress.seq + 1), Some(entries));
}
