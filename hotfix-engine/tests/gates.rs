//! Gates that do not pass: no readiness, crashes, no traffic, and clocks that jump.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::memory::{Behaviour, ManualClock, MemoryDeployer, MemoryMetrics};
use hotfix_core::model::{Fault, Period};
use hotfix_core::port::{
    Clock, History, HistoryQuery, MetricsCapabilities, MetricsQuery, MetricsSource, Notifier as _, Scrape,
};
use hotfix_testkit::fault::{Faults, FaultyDeployer, Mishap, Operation};
use tokio::time::Instant;

use crate::world::{World, artifact_of, production, slot, staging, until, until_judged};

fn summary(outcome: Outcome) -> String {
    match outcome {
        Outcome::RolledBack { cause: Cause::Verdict { summary, .. }, left } if left.is_empty() => summary,
        other => panic!("not rolled back by a verdict: {other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_says_it_is_never_ready_goes_back_at_once() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let baseline = plan.baselines()[0].snapshot.release.artifact.id();
    let fault = Fault::NeverReady { instance: "green-1".to_owned(), after: Period::from_secs(30) };
    world.deployer.behave(artifact_of(&plan), Behaviour::Broken(fault));
    let _time = world.time();
    let started = Instant::now();

    let run = engine.start(plan).await.expect("a free target");
    let summary = summary(run.outcome().await.expect("an end"));

    assert!(summary.contains("green-1"), "{summary}");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    world.serves(&baseline).await;
    assert!(world.deployer.accepted(&production()).is_empty(), "production was never touched");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_becomes_ready_goes_back_at_the_deadline() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let baseline = plan.baselines()[0].snapshot.release.artifact.id();
    world.deployer.behave(artifact_of(&plan), Behaviour::Slow);
    let _time = world.time();
    let started = Instant::now();

    let run = engine.start(plan).await.expect("a free target");
    let summary = summary(run.outcome().await.expect("an end"));

    assert!(summary.starts_with("inconclusive"), "{summary}");
    let five_minutes = Duration::from_secs(300);
    assert!(
        started.elapsed() >= five_minutes && started.elapsed() < five_minutes * 2,
        "{:?}",
        started.elapsed()
    );
    world.serves(&baseline).await;
}

/// Breaks the watch of staging while it soaks, and has it opened again only after so many tries.
async fn soaked_blind(tries: usize) -> (Outcome, Duration, World) {
    let (world, faults) = (World::new().await, Faults::none());
    let deployer = FaultyDeployer::new(Arc::new(world.deployer.clone()), faults.clone());
    let engine = world.builder("w1").deployer(deployer).build().expect("a complete engine");
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until(&mut run, |kind| kind.to_string().contains("ready and faultless")).await;
    (0..tries).for_each(|_| faults.add(Operation::Watch, Mishap::Busy));
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.deployer.break_watches(&staging());
    let broken = Instant::now();
    let passed = |kind: &ProgressKind| matches!(kind, ProgressKind::Decided { .. });
    until(&mut run, passed).await;
    let took = broken.elapsed();
    (run.outcome().await.expect("an end"), took, world)
}

#[tokio::test(start_paused = true)]
async fn what_nobody_saw_is_no_part_of_a_soak() {
    let (outcome, took, _world) = soaked_blind(100).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    // A hundred tries take twenty seconds, and half a minute of soaking begins after them.
    assert!(took > Duration::from_secs(50) && took < Duration::from_secs(52), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_soak_that_nobody_watches_does_not_pass() {
    let (outcome, took, world) = soaked_blind(10_000).await;
    let summary = summary(outcome);
    assert!(summary.starts_with("inconclusive: nothing was shown until the deadline"), "{summary}");
    assert!(took > Duration::from_secs(300), "{took:?}");
    world.serves(&world.baseline().await).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_under_traffic_is_answered_within_a_second() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let baseline = plan.baselines()[0].snapshot.release.artifact.id();
    let _traffic = world.traffic(None, 0);

    let mut run = engine.start(plan).await.expect("a free target");
    until_judged(&mut run).await;
    let crashed = Instant::now();
    let fault = Fault::Exited { instance: "green-1".to_owned(), status: "killed by signal 9".to_owned() };
    world.deployer.report(&production(), &slot("green"), fault);
    let summary = summary(run.outcome().await.expect("an end"));

    assert!(summary.contains("killed by signal 9"), "{summary}");
    assert!(crashed.elapsed() < Duration::from_secs(1), "{:?}", crashed.elapsed());
    world.serves(&baseline).await;
}

/// Traffic on whose second look with errors an instance ends too.
#[derive(Debug)]
struct Crashing {
    metrics: MemoryMetrics,
    deployer: MemoryDeployer,
    bad_looks: AtomicU32,
}

#[async_trait]
impl MetricsSource for Crashing {
    fn capabilities(&self) -> MetricsCapabilities {
        self.metrics.capabilities()
    }

    async fn scrape(&self, query: &MetricsQuery) -> hotfix_core::Result<Scrape> {
        let scrape = self.metrics.scrape(query).await?;
        let is_bad = scrape.series.iter().any(|series| series.errors.is_some_and(|errors| errors > 0.0));
        if is_bad && self.bad_looks.fetch_add(1, Ordering::Relaxed) == 1 {
            let fault = Fault::Exited { instance: "green-1".to_owned(), status: "exit status 1".to_owned() };
            self.deployer.report(&production(), &slot("green"), fault);
        }
        Ok(scrape)
    }

    async fn history(&self, query: &HistoryQuery) -> hotfix_core::Result<History> {
        self.metrics.history(query).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_names_the_crash_and_the_errors_of_the_same_moment() {
    let world = World::new().await;
    let crashing = Crashing {
        metrics: world.metrics.clone(),
        deployer: world.deployer.clone(),
        bad_looks: AtomicU32::new(0),
    };
    let engine = world.builder("w1").metrics(crashing).build().expect("a complete engine");
    let plan = world.plan(&engine, &world.fix("version 2.1.1 that fails")).await;
    let _traffic = world.traffic(Some(artifact_of(&plan)), 1000);

    let run = engine.start(plan).await.expect("a free target");
    let summary = summary(run.outcome().await.expect("an end"));

    assert!(summary.starts_with("fail: canary instance green-1 ended: exit status 1; canary "), "{summary}");
    assert!(summary.contains(" against 0 in ") && summary.contains(" ≥ 100)"), "{summary}");
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_more_often_than_there_are_new_values() {
    let mut world = World::new().await;
    let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
    world.metrics = MemoryMetrics::new(clock, Period::from_mins(1));
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_judged(&mut run).await;
    let first = Instant::now();
    until_judged(&mut run).await;
    let between = first.elapsed();
    let minute = Duration::from_secs(60);
    assert!(between >= minute && between < minute + Duration::from_secs(1), "{between:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_canary_goes_back_and_the_reason_says_how_slow() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.slow_traffic();
    // What is usual is measured before the plan is made.
    tokio::time::sleep(Duration::from_secs(900)).await;
    let plan = world.plan(&engine, &world.fix("version 2.1.1 with a slow query")).await;
    let bounds: Vec<_> = plan.judging().bounds().iter().map(ToString::to_string).collect();
    let baseline = plan.baselines()[0].snapshot.release.artifact.id();

    let run = engine.start(plan).await.expect("a free target");
    let summary = summary(run.outcome().await.expect("an end"));

    assert_eq!(bounds, ["5ms"], "all of them tell the same here");
    assert!(summary.starts_with("fail: canary 0 errors in "), "{summary}");
    assert!(summary.contains(" over 5ms against "), "{summary}");
    world.serves(&baseline).await;
}

#[tokio::test(start_paused = true)]
async fn a_canary_without_traffic_is_never_promoted_and_a_human_is_asked() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let baseline = plan.baselines()[0].snapshot.release.artifact.id();
    let _time = world.time();

    let mut run = engine.start(plan).await.expect("a free target");
    let mut asked = Vec::new();
    while let Some(progress) = run.next().await {
        let kind = progress.expect("a readable journal").kind;
        if let hotfix_core::communicate::ProgressKind::Attention { why, .. } = kind {
            asked.push(why);
        }
    }
    let summary = summary(run.outcome().await.expect("an end"));

    assert!(summary.starts_with("inconclusive"), "{summary}");
    world.serves(&baseline).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    engine.flush().await;
    let told = world.notifier.shown();
    let told = told.iter().any(|shown| shown.message.plain_title() == "A human should look");
    assert!(told, "{} was told", world.notifier.destination());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_changes_nothing() {
    let mut took = Vec::new();
    for jump in [0, 3_600, -3_600] {
        let world = World::new().await;
        let clock = ManualClock::at(world.clock.now());
        let engine = world.builder("w1").clock(clock.clone()).build().expect("a complete engine");
        let _traffic = world.traffic(None, 0);
        let started = Instant::now();

        let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
        until_judged(&mut run).await;
        clock.set(clock.now() + chrono::TimeDelta::seconds(jump));
        let outcome = run.outcome().await.expect("an end");

        assert!(matches!(outcome, Outcome::Succeeded { .. }), "{jump}: {outcome}");
        took.push(started.elapsed());
    }
    assert_eq!(took, [took[0]; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_is_taken_up_by_a_clock_set_back_still_ends() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    world.deployer.behave(artifact_of(&plan), Behaviour::Slow);
    let time = world.time();
    let mut run = engine.start(plan).await.expect("a free target");
    let open = |kind: &hotfix_core::communicate::ProgressKind| kind.to_string().contains("ready");
    crate::world::until(&mut run, open).await;
    drop((run, time));
    let back = ManualClock::at(world.clock.now() - chrono::TimeDelta::hours(1));
    let engine = world.builder("w1").clock(back).build().expect("a complete engine");
    let started = Instant::now();

    let run = engine.resume_all().await.expect("a readable store").pop().expect("one run");
    let summary = summary(run.outcome().await.expect("an end"));

    assert!(summary.starts_with("inconclusive"), "{summary}");
    assert!(started.elapsed() <= Duration::from_secs(301), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_a_slot_held_before_is_not_held_against_the_canary() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    // An instance of an earlier fix that failed: its counters are still scraped for a while.
    world.metrics.count(&production(), &slot("green"), "earlier", 1000, 900);
    let _traffic = world.traffic(None, 0);

    let run = engine.start(plan).await.expect("a free target");
    let id = run.run().clone();
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    let document = engine.postmortem(&id).await.expect("a postmortem");
    let first = document.lines().find(|line| line.contains("judge green at 10 %")).expect("a verdict");
    assert!(first.contains("canary 0 errors in "), "{first}");
}
