//! Journals that cannot be written or read.

use hotfix_core::ErrorKind;
use hotfix_core::execute::{CodecError, Outcome};
use hotfix_core::port::{JournalEntry, RunFilter};
use hotfix_engine::EngineError;

use crate::faulty_store::FaultyStore;
use crate::world::{World, artifact_of, until_judged};

#[tokio::test(start_paused = true)]
async fn while_the_disk_is_full_nothing_is_sent_and_then_the_run_goes_on() {
    let world = World::new().await;
    let store = FaultyStore::new(world.store.clone());
    let engine = world.builder("w1").store(store.clone()).build().expect("a complete engine");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let fix = artifact_of(&plan);
    let _traffic = world.traffic(None, 0);

    store.fill(10);
    let run = engine.start(plan).await.expect("a free target");
    while store.still_full() > 0 {
        assert!(world.source.accepted().is_empty(), "something was sent without a record");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    world.serves(&fix).await;
    world.applied_once();
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_stays_full_ends_the_driver_and_somebody_else_goes_on() {
    let world = World::new().await;
    let store = FaultyStore::new(world.store.clone());
    let engine = world.builder("w1").store(store.clone()).build().expect("a complete engine");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let fix = artifact_of(&plan);
    let _traffic = world.traffic(None, 0);

    let mut run = engine.start(plan).await.expect("a free target");
    until_judged(&mut run).await;
    store.fill(u32::MAX);
    let error = run.outcome().await.expect_err("nothing can be written");

    assert!(matches!(&error, EngineError::Port(port) if port.kind() == ErrorKind::Full), "{error}");
    let open = engine.runs(RunFilter::Open).await.expect("a readable store");
    assert_eq!(open.len(), 1, "the claim stays");
    store.fill(0);
    let run = engine.resume_all().await.expect("a readable store").pop().expect("one run");
    let outcome = run.outcome().await.expect("an end");
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    world.serves(&fix).await;
    world.applied_once();
}

/// Starts a run, drops it, and returns what an engine says that finds its journal rewritten.
async fn resumed_from(rewrite: fn(JournalEntry) -> JournalEntry) -> EngineError {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_judged(&mut run).await;
    let id = run.run().clone();
    drop((run, engine));
    tokio::task::yield_now().await;

    let store = FaultyStore::new(world.store.clone()).rewriting(rewrite);
    let engine = world.builder("w1").store(store).build().expect("a complete engine");
    let error = engine.resume(&id).await.expect_err("it cannot be read");

    assert_eq!(engine.resume_all().await.expect("a readable list").len(), 0, "it is left alone");
    let open = world.engine("w2").runs(RunFilter::Open).await.expect("a readable store");
    assert_eq!(open[0].epoch, 1, "who cannot read a journal does not take it over");
    // Whoever can read it ends it.
    let run = world.engine("w1").resume(&id).await.expect("a readable journal");
    assert!(matches!(run.outcome().await.expect("an end"), Outcome::Succeeded { .. }));
    world.applied_once();
    error
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_newer_version_is_refused_by_name() {
    let error = resumed_from(|mut entry| {
        entry.body =
            entry.body.replace("\"min_reader\":1", "\"min_reader\":7").replace("\"0.1.0\"", "\"0.9.0\"");
        entry
    });
    let error = error.await;

    let EngineError::Codec { entry: 0, source: CodecError::TooNew { needed: 7, .. }, .. } = &error else {
        panic!("{error}");
    };
    assert!(error.to_string().ends_with("resume with hotfix 0.9.0 or newer"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_entry_is_refused_by_number() {
    let error = resumed_from(|mut entry| {
        if entry.seq == 3 {
            entry.body.truncate(40);
        }
        entry
    });
    let error = error.await;

    assert!(
        matches!(error, EngineError::Codec { entry: 3, source: CodecError::Malformed(_), .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_missing_is_refused_by_its_contradiction() {
    let error = resumed_from(|mut entry| {
        // The second intent instead of the first outcome: as if a row had been lost.
        if entry.seq == 2 {
            entry.body = entry.body.replace("\"kind\":\"outcome\"", "\"kind\":\"sealed\"");
        }
        entry
    });
    let error = error.await;

    let named = error.to_string();
    assert!(matches!(error, EngineError::Codec { entry: 2, .. } | EngineError::Journal { .. }), "{named}");
}
