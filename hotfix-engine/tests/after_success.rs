//! What happens after a success: the watch, the late breach, and the way back that asks or does not ask.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::{Course, Outcome};
use hotfix_core::memory::MemoryMetrics;
use hotfix_core::model::{Fenced, IncidentStatus, Period, RunId};
use hotfix_core::plan::Planned;
use hotfix_core::policy::{LateBreach, Policy};
use hotfix_core::port::{Basis, Deployer as _, IncidentStore as _, RunFilter};
use hotfix_core::request::{Goal, Request, RollbackTo};
use hotfix_engine::{Engine, EngineError, FollowUps};
use hotfix_testkit::fault::{Faults, FaultyStore, Mishap, Operation};
use tokio::time::sleep;

use crate::world::{Traffic, World, artifact_of, production, request, settings};

fn policy(on_breach: LateBreach) -> Policy {
    let mut settings = settings();
    settings.after_success.lasting = Period::from_hours(2);
    settings.after_success.on_breach = on_breach;
    Policy::new(settings).expect("a policy that makes sense")
}

fn watching(world: &World, worker: &str, on_breach: LateBreach) -> Engine {
    world.builder(worker).policy(policy(on_breach)).build().expect("a complete engine")
}

/// Waits until there is such a run, then until it comes to an end.
async fn end_of(engine: &Engine, run: &str) -> Outcome {
    let run = begun(engine, run).await;
    let mut progress = engine.watch(&run, 0);
    loop {
        let next = std::future::poll_fn(|cx| progress.as_mut().poll_next(cx)).await;
        match next.expect("an end").expect("a readable journal").kind {
            ProgressKind::Ended(outcome) => return outcome,
            _ => continue,
        }
    }
}

async fn begun(engine: &Engine, run: &str) -> RunId {
    let wanted = RunId::new(run).expect("a run id");
    loop {
        let all = engine.runs(RunFilter::All).await.expect("a readable store");
        if all.iter().any(|summary| summary.run == wanted) {
            return wanted;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// Deploys a fix that is well, and returns the id of the run.
async fn deploy(world: &World, engine: &Engine, content: &str) -> String {
    let run = world.start(engine, &world.fix(content)).await;
    let id = run.run().to_string();
    let outcome = run.outcome().await.expect("an end");
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    id
}

/// Lets a tenth of the requests to production fail.
fn break_it(world: &World) -> Traffic {
    let (metrics, deployer, clock) = (world.metrics.clone(), world.deployer.clone(), world.clock.clone());
    Traffic::of(async move {
        loop {
            sleep(Duration::from_secs(1)).await;
            clock.advance(Period::from_secs(1));
            count(&metrics, &deployer).await;
        }
    })
}

async fn count(metrics: &MemoryMetrics, deployer: &hotfix_core::memory::MemoryDeployer) {
    let live = deployer.observe(&production()).await.expect("a known target").live.expect("a live slot");
    metrics.count(&production(), &live, "instance", 50, 5);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_stays_well_is_watched_to_the_end() {
    let world = World::new().await;
    let engine = watching(&world, "w1", LateBreach::RollBack);
    let _traffic = world.traffic(None, 0);

    let run = deploy(&world, &engine, "version 2.1.1").await;
    let watch = format!("{run}-watch");
    let outcome = end_of(&engine, &watch).await;

    assert_eq!(outcome, Outcome::Succeeded { release: None });
    let state = engine.state(&begun(&engine, &watch).await).await.expect("a readable journal");
    assert_eq!(state.plan().claims(), [Fenced::Watch(production())]);
    let postmortem = engine.postmortem(state.run()).await.expect("a postmortem");
    assert!(postmortem.contains("pass: 0 errors in 35"), "fifty a second for two hours: {postmortem}");
    let all = engine.runs(RunFilter::All).await.expect("a readable store");
    assert_eq!(all.len(), 2, "{all:?}");
    let incident = engine.incident(&all[1].incident).await.expect("the incident");
    assert_eq!((all[0].incident == all[1].incident, incident.status), (true, IncidentStatus::Mitigated));
}

#[tokio::test(start_paused = true)]
async fn a_late_breach_waits_for_somebody_to_agree() {
    let world = World::new().await;
    let engine = watching(&world, "w1", LateBreach::Ask);
    let traffic = world.traffic(None, 0);
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let fixed = artifact_of(&plan);
    let run = engine.start(plan).await.expect("a free target");
    let id = run.run().to_string();
    run.outcome().await.expect("an end");
    begun(&engine, &format!("{id}-watch")).await;
    sleep(Duration::from_secs(1800)).await;
    drop(traffic);
    let _broken = break_it(&world);

    let outcome = end_of(&engine, &format!("{id}-watch")).await;
    let Outcome::Escalated { cause, .. } = outcome else { panic!("{outcome}") };
    assert!(cause.to_string().contains("error rate over 5 % within 10m"), "{cause}");
    let rollback = begun(&engine, &format!("{id}-watch-rollback")).await;
    sleep(Duration::from_secs(600)).await;
    let how = format!("run {rollback} within 1h");
    let asked = world.notifier.shown().into_iter().flat_map(|shown| shown.message.facts);
    assert!(asked.into_iter().any(|fact| fact.value == how), "it says how to agree");
    let live = world.deployer.observe(&production()).await.expect("a known target").live_artifact();
    assert_eq!(live, Some(fixed.clone()), "nothing is changed before somebody agrees");

    engine.approve(&rollback, "grace").await.expect("an open run");
    let outcome = end_of(&engine, rollback.as_str()).await;
    assert!(matches!(outcome, Outcome::Succeeded { release: Some(_) }), "{outcome}");
    let live = world.deployer.observe(&production()).await.expect("a known target").live_artifact();
    assert_eq!(live, Some(world.baseline().await));
    engine.flush().await;
    let told: Vec<String> = world.notifier.shown().iter().map(|shown| shown.message.plain_title()).collect();
    for wanted in ["It turned bad after it was proven", "grace says: go on"] {
        assert!(told.iter().any(|title| title == wanted), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_rolled_back_from_is_not_gone_back_to() {
    let world = World::new().await;
    let engine = watching(&world, "w1", LateBreach::RollBack);
    let traffic = world.traffic(None, 0);
    let id = deploy(&world, &engine, "version 2.1.1").await;
    begun(&engine, &format!("{id}-watch")).await;
    drop(traffic);
    let _broken = break_it(&world);

    let outcome = end_of(&engine, &format!("{id}-watch-rollback")).await;
    assert!(matches!(outcome, Outcome::Succeeded { release: Some(_) }), "by itself: {outcome}");
    let known = world.store.known_good(&production(), 10).await.expect("a readable store");
    let known: Vec<_> = known.iter().map(|good| (good.release.tag.to_string(), good.basis)).collect();
    assert_eq!(known, [("v2.1.0".to_owned(), Basis::Proven), ("v2.1.1-rc.1".to_owned(), Basis::Withdrawn)]);

    let again = Request {
        goal: Goal::rollback(production(), RollbackTo::LastKnownGood),
        ..request(&world.fix("version 2.1.1"))
    };
    let refused = engine.plan(&again).await.expect_err("nothing else was ever proven").to_string();
    assert!(refused.contains("was never proven healthy on production/shop; proven are: v2.1.0"), "{refused}");
    let named = RollbackTo::Version("2.1.1".parse().expect("a version"));
    let named = Request { goal: Goal::rollback(production(), named), ..again };
    let Ok(Planned::Plan(plan)) = engine.plan(&named).await else { panic!("a human may insist") };
    assert!(plan.to_string().contains("because the request names it; a run went back from it"), "{plan}");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_nobody_agrees_to_changes_nothing() {
    let world = World::new().await;
    let engine = watching(&world, "w1", LateBreach::Ask);
    let traffic = world.traffic(None, 0);
    let id = deploy(&world, &engine, "version 2.1.1").await;
    let fixed = world.deployer.observe(&production()).await.expect("a known target").live_artifact();
    begun(&engine, &format!("{id}-watch")).await;
    drop(traffic);
    let _broken = break_it(&world);
    let before = world.deployer.accepted(&production()).len();

    let outcome = end_of(&engine, &format!("{id}-watch-rollback")).await;

    assert_eq!(
        outcome.to_string(),
        "cancelled by the deadline before anything was deployed: nobody agreed in time"
    );
    let workload = world.deployer.observe(&production()).await.expect("a known target");
    assert_eq!((workload.live_artifact(), world.deployer.accepted(&production()).len()), (fixed, before));
    assert!(engine.runs(RunFilter::Open).await.expect("a readable store").is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_process_watches_on() {
    let world = World::new().await;
    let first = world.builder("w1").policy(policy(LateBreach::RollBack)).follow_ups(FollowUps::Leave);
    let first = first.build().expect("a complete engine");
    let traffic = world.traffic(None, 0);
    let id = deploy(&world, &first, "version 2.1.1").await;
    // The first process begins nothing, the second does, and the third goes on.
    let second = watching(&world, "w2", LateBreach::RollBack);
    let watched = second.resume_all().await.expect("a readable store");
    assert_eq!(watched.len(), 1);
    let watch = begun(&second, &format!("{id}-watch")).await;
    sleep(Duration::from_secs(1200)).await;
    let looked = second.state(&watch).await.expect("a readable journal").entries();
    drop((watched, second));
    world.clock.advance(Period::from_secs(60));
    let third = watching(&world, "w3", LateBreach::RollBack);
    let resumed = third.resume_all().await.expect("a readable store");
    assert_eq!(resumed.iter().map(|run| run.run().clone()).collect::<Vec<_>>(), std::slice::from_ref(&watch));
    resumed.into_iter().for_each(hotfix_engine::RunHandle::detach);
    drop(traffic);
    let _broken = break_it(&world);

    end_of(&third, &format!("{id}-watch-rollback")).await;

    let state = third.state(&watch).await.expect("a readable journal");
    assert!(looked > 15 && state.entries() > looked, "{looked} looks were kept: {}", state.entries());
    assert!(matches!(state.course(), Course::Ended(Outcome::Escalated { .. })), "{:?}", state.course());
    world.applied_once();
}

#[tokio::test(start_paused = true)]
async fn another_release_ends_the_watch_and_gets_its_own() {
    let world = World::new().await;
    let engine = watching(&world, "w1", LateBreach::RollBack);
    let _traffic = world.traffic(None, 0);
    let first = deploy(&world, &engine, "version 2.1.1").await;
    begun(&engine, &format!("{first}-watch")).await;

    let tag = hotfix_core::model::TagName::new("v2.1.1").expect("a tag");
    let base = world.source.resolve(tag.as_str()).expect("the tag");
    let fix = world.source.commit(&[base], &[("app", Some("version 2.1.2"))], "fix: the other one");
    let Ok(Planned::Plan(plan)) = engine.plan(&request(&fix)).await else {
        panic!("a watch blocks no deploy")
    };
    let second = engine.start(*plan).await.expect("a free target");
    let id = second.run().to_string();
    second.outcome().await.expect("an end");

    assert_eq!(end_of(&engine, &format!("{first}-watch")).await, Outcome::Succeeded { release: None });
    let ended =
        engine.postmortem(&begun(&engine, &format!("{first}-watch")).await).await.expect("a document");
    assert!(ended.contains("is live now"), "{ended}");
    let watch = begun(&engine, &format!("{id}-watch")).await;
    let state = engine.state(&watch).await.expect("a readable journal");
    assert_eq!(state.course(), &Course::Forward);
    engine.cancel(&watch, "ada", "enough").await.expect("an open run");
    let outcome = end_of(&engine, watch.as_str()).await;
    assert!(matches!(outcome, Outcome::Cancelled { .. }), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn of_two_processes_one_watches() {
    let world = World::new().await;
    let first = watching(&world, "w1", LateBreach::Ask);
    let second = watching(&world, "w2", LateBreach::Ask);
    let _traffic = world.traffic(None, 0);
    let id = deploy(&world, &first, "version 2.1.1").await;
    for _ in 0..3 {
        let begun = second.resume_all().await.expect("a readable store");
        begun.into_iter().for_each(hotfix_engine::RunHandle::detach);
    }
    begun(&first, &format!("{id}-watch")).await;
    sleep(Duration::from_secs(60)).await;

    let open = first.runs(RunFilter::Open).await.expect("a readable store");
    assert_eq!(open.len(), 1, "{open:?}");
    let watch = Request {
        goal: Goal::Watch { target: production(), lasting: Period::from_mins(10) },
        ..request(&world.fix("version 2.1.1"))
    };
    let refused = second.plan(&watch).await.expect_err("one watch at a time");
    assert!(matches!(refused, EngineError::Refused(_)), "{refused}");
    assert!(refused.to_string().contains(&format!("{id}-watch")), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_ended_run_is_looked_at_once_however_often_runs_are_taken_up() {
    let world = World::new().await;
    let _traffic = world.traffic(None, 0);
    let quiet = world.engine("w1");
    deploy(&world, &quiet, "version 2.1.1").await;
    let faults = Faults::none();
    let store = FaultyStore::new(Arc::new(world.store.clone()), faults.clone());
    let second = world.builder("w2").store(store).build().expect("a complete engine");
    assert!(second.resume_all().await.expect("a readable store").is_empty());
    // Whoever read the journal again would meet this.
    faults.add(Operation::Journal, Mishap::RequestLost);
    assert!(second.resume_all().await.expect("a readable store").is_empty());
    assert_eq!(faults.happened(), []);
}
