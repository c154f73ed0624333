//! Alerts about production are silent while it is changed as planned, and never for longer, whatever happens to whom.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::ErrorKind;
use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::Outcome;
use hotfix_core::memory::{MemorySilencer, SilencerTrouble};
use hotfix_core::model::{Period, Phase};
use hotfix_core::port::{Clock as _, OutboxState, Silencing};
use hotfix_engine::{Engine, FollowUps};
use tokio::time::Instant;

use crate::world::{World, artifact_of, production, staging, until, until_judged, until_phase};

fn silencer(world: &World) -> MemorySilencer {
    MemorySilencer::new("memory:alerts", Arc::new(world.clock.clone()))
}

fn engine(world: &World, silencer: &MemorySilencer) -> Engine {
    world.builder("w1").silencer(silencer.clone()).build().expect("a complete engine")
}

fn words(silencer: &MemorySilencer) -> Vec<&'static str> {
    let word = |asked: &Silencing| match asked {
        Silencing::Begin(_) => "begin",
        Silencing::End(_) => "end",
    };
    silencer.asked().iter().map(word).collect()
}

/// Waits until nothing is left to deliver, and returns how long that took.
async fn delivered(engine: &Engine) -> Duration {
    let started = Instant::now();
    while !engine.undelivered().await.expect("a readable store").is_empty() {
        assert!(started.elapsed() < Duration::from_secs(600), "{:?}", engine.undelivered().await);
        engine.flush().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    started.elapsed()
}

#[tokio::test(start_paused = true)]
async fn alerts_are_silent_from_before_the_first_effect_on_production_until_its_last() {
    let world = World::new().await;
    let silencer = silencer(&world);
    let engine = engine(&world, &silencer);
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_phase(&mut run, Phase::Staging).await;
    engine.flush().await;
    assert_eq!(words(&silencer), [""; 0], "staging alerts nobody");

    until_phase(&mut run, Phase::Production).await;
    engine.flush().await;
    let active = silencer.active(&production());
    let [silence] = &active[..] else { panic!("{active:?}") };
    assert_eq!(silence.run, *run.run());
    assert_eq!(silencer.active(&staging()), []);
    // Two changes of 2 min and a wait of 5 to begin with, then five shares of 30 min with a change each.
    let state = engine.state(run.run()).await.expect("a readable journal");
    let steps = state.plan().steps().iter().filter(|step| step.phase == Phase::Production);
    let longest = steps.fold(0, |sum, step| sum + step.deadline.as_millis());
    let lasting = silence.until - world.clock.now();
    assert!(lasting <= Period::from_millis(longest).to_delta(), "{lasting}");
    assert!(lasting > Period::from_millis(longest - 60_000).to_delta(), "{lasting}");

    until_phase(&mut run, Phase::Publishing).await;
    engine.flush().await;
    assert_eq!(silencer.active(&production()), [], "it is live and proven");
    assert!(matches!(run.outcome().await.expect("an end"), Outcome::Succeeded { .. }));
    delivered(&engine).await;
    assert_eq!(words(&silencer), ["begin", "end"]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_heard_from_its_first_moment() {
    let world = World::new().await;
    let silencer = silencer(&world);
    let engine = engine(&world, &silencer);
    let plan = world.plan(&engine, &world.fix("version 2.1.1 with a mistake")).await;
    let _traffic = world.traffic(Some(artifact_of(&plan)), 200);
    let mut run = engine.start(plan).await.expect("a free target");
    until_judged(&mut run).await;
    engine.flush().await;
    assert_eq!(silencer.active(&production()).len(), 1);
    until(&mut run, |kind| matches!(kind, ProgressKind::Decided { .. })).await;
    engine.flush().await;
    assert_eq!(silencer.active(&production()), [], "before anything is taken back");
    assert!(matches!(run.outcome().await.expect("an end"), Outcome::RolledBack { .. }));
    delivered(&engine).await;
    assert_eq!(words(&silencer), ["begin", "end"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_asks_a_human_is_heard() {
    let world = World::new().await;
    let silencer = silencer(&world);
    let engine = engine(&world, &silencer);
    // Nothing answers: the judge sees no traffic on the canary and asks.
    let _time = world.time();
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_judged(&mut run).await;
    engine.flush().await;
    assert_eq!(silencer.active(&production()).len(), 1);
    until(&mut run, |kind| matches!(kind, ProgressKind::Attention { .. })).await;
    engine.flush().await;
    assert_eq!(silencer.active(&production()), []);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_takes_over_lifts_what_the_killed_one_silenced() {
    let world = World::new().await;
    let silencer = silencer(&world);
    let first = engine(&world, &silencer);
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&first, &world.fix("version 2.1.1")).await;
    until_judged(&mut run).await;
    first.flush().await;
    let name = run.run().clone();
    drop((run, first));
    let before = silencer.active(&production());
    assert_eq!(before.len(), 1, "nobody is left to lift it");

    let second = engine(&world, &silencer);
    let run = second.resume_all().await.expect("a readable store").pop().expect("one run");
    second.flush().await;
    assert_eq!(silencer.active(&production()), before, "one silence for the run, whoever drives it");
    second.cancel(&name, "ada", "the wrong fix").await.expect("an open run");
    assert!(matches!(run.outcome().await.expect("an end"), Outcome::RolledBack { .. }));
    delivered(&second).await;
    assert_eq!(silencer.active(&production()), []);
    assert_eq!(words(&silencer), ["begin", "end"]);
}

#[tokio::test(start_paused = true)]
async fn a_process_killed_before_it_could_lift_leaves_that_to_the_next() {
    let world = World::new().await;
    let silencer = silencer(&world);
    let first = engine(&world, &silencer);
    let plan = world.plan(&first, &world.fix("version 2.1.1 with a mistake")).await;
    let _traffic = world.traffic(Some(artifact_of(&plan)), 200);
    let mut run = first.start(plan).await.expect("a free target");
    until_judged(&mut run).await;
    first.flush().await;
    silencer.trouble(SilencerTrouble::Hangs);
    assert!(matches!(run.outcome().await.expect("an end"), Outcome::RolledBack { .. }));
    drop(first);
    assert_eq!(silencer.active(&production()).len(), 1);

    // The run has ended, so nobody resumes it. The outbox is enough.
    let second = engine(&world, &silencer);
    delivered(&second).await;
    assert_eq!(silencer.active(&production()), []);
}

#[tokio::test(start_paused = true)]
async fn a_silence_whose_answer_was_lost_is_made_once_and_lifted() {
    let world = World::new().await;
    let silencer = silencer(&world);
    let engine = engine(&world, &silencer);
    let _traffic = world.traffic(None, 0);
    silencer.trouble(SilencerTrouble::Arrives(ErrorKind::Timeout));
    silencer.trouble(SilencerTrouble::Lost(ErrorKind::Unavailable));
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_judged(&mut run).await;
    let until_known = delivered(&engine).await;
    assert!(until_known < Duration::from_secs(60), "{until_known:?}");
    assert_eq!(silencer.active(&production()).len(), 1);
    assert_eq!(words(&silencer), ["begin", "begin", "begin"]);
    engine.cancel(run.run(), "ada", "the wrong fix").await.expect("an open run");
    run.outcome().await.expect("an end");
    delivered(&engine).await;
    assert_eq!(silencer.active(&production()), []);
}

#[tokio::test(start_paused = true)]
async fn a_silencer_that_hangs_or_refuses_changes_nothing_about_the_run() {
    let mut took = Vec::new();
    for trouble in [None, Some(SilencerTrouble::Hangs), Some(SilencerTrouble::Lost(ErrorKind::Forbidden))] {
        let world = World::new().await;
        let silencer = silencer(&world);
        let engine = engine(&world, &silencer);
        let plan = world.plan(&engine, &world.fix("version 2.1.1 with a mistake")).await;
        for _ in 0..100 {
            trouble.into_iter().for_each(|trouble| silencer.trouble(trouble));
        }
        let _traffic = world.traffic(Some(artifact_of(&plan)), 200);
        let started = Instant::now();
        let run = engine.start(plan).await.expect("a free target");
        let name = run.run().clone();
        let outcome = run.outcome().await.expect("an end");
        took.push((started.elapsed(), engine.state(&name).await.expect("a readable journal").entries()));
        assert!(matches!(outcome, Outcome::RolledBack { .. }));
    }
    assert_eq!(took[0], took[1]);
    assert_eq!(took[0], took[2]);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_silenced_is_reported_and_not_tried_for_longer_than_it_would_last() {
    let world = World::new().await;
    let silencer = silencer(&world);
    let engine = world
        .silent("w1")
        .silencer(silencer.clone())
        .follow_ups(FollowUps::Leave)
        .build()
        .expect("a complete engine");
    silencer.trouble(SilencerTrouble::Lost(ErrorKind::Forbidden));
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_judged(&mut run).await;
    engine.flush().await;
    let left = engine.undelivered().await.expect("a readable store");
    let [item] = &left[..] else { panic!("{left:?}") };
    assert_eq!(item.destination, "memory:alerts");
    assert_eq!(item.posting.message.plain_title(), "Alerts are silenced for production/shop");
    assert!(
        matches!(&item.state, OutboxState::Dead { cause } if cause.contains("scripted to fail")),
        "{item:?}"
    );

    // Lifting is tried for as long as something may be silent.
    for _ in 0..10_000 {
        silencer.trouble(SilencerTrouble::Lost(ErrorKind::Forbidden));
    }
    run.outcome().await.expect("an end");
    let asked = silencer.asked().len();
    tokio::time::sleep(Duration::from_secs(3600 * 6)).await;
    let tried = silencer.asked().len();
    assert!(tried > asked + 100, "{asked} {tried}");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(silencer.asked().len(), tried, "it has ended by itself");
    assert_eq!(engine.undelivered().await.expect("a readable store").len(), 1);
}
