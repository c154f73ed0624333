//! What is seen from outside, beside the metrics and the instances.

use std::time::Duration;

use hotfix_core::ErrorKind;
use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::memory::MemoryCheck;
use hotfix_core::model::{Fault, Period};
use hotfix_core::policy::{LateBreach, Policy};
use hotfix_core::port::{CheckScope, RunFilter};
use hotfix_engine::{Engine, EngineError};
use tokio::time::Instant;

use crate::world::{World, artifact_of, production, settings, slot, staging};

fn engine(world: &World, checks: &[&MemoryCheck]) -> Engine {
    let builder = checks.iter().fold(world.builder("w1"), |builder, check| builder.check((*check).clone()));
    builder.build().expect("a complete engine")
}

fn broken(check: &str) -> Fault {
    let reason = format!("{check}: status 503 instead of 200 to 299");
    Fault::ReadinessLost { instance: "http://shop.example/pay".to_owned(), reason }
}

#[tokio::test(start_paused = true)]
async fn a_check_of_the_slot_condemns_the_canary_at_its_first_share() {
    let world = World::new().await;
    let smoke = MemoryCheck::new("smoke", production(), CheckScope::Slot);
    let engine = engine(&world, &[&smoke]);
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let baseline = world.baseline().await;
    smoke.find(&artifact_of(&plan), broken("smoke"));
    let _traffic = world.traffic(None, 0);

    let outcome = engine.start(plan).await.expect("a free target").outcome().await.expect("an end");

    let Outcome::RolledBack { cause: Cause::Verdict { summary, .. }, .. } = outcome else {
        panic!("{outcome}")
    };
    assert_eq!(
        summary,
        "fail: canary instance http://shop.example/pay is no longer ready: smoke: status 503 instead of 200 to 299"
    );
    assert!(
        smoke.asked().iter().all(|subject| subject.slot == slot("green")),
        "only the canary is looked at"
    );
    world.serves(&baseline).await;
}

#[tokio::test(start_paused = true)]
async fn the_front_door_tells_of_the_canary_only_with_all_the_traffic() {
    let world = World::new().await;
    let door = MemoryCheck::new("front door", production(), CheckScope::FrontDoor);
    let engine = engine(&world, &[&door]);
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let shares = plan.steps().iter().filter(|step| step.action.to_string().contains("judge green")).count();
    let _traffic = world.traffic(None, 0);

    let run = engine.start(plan).await.expect("a free target");
    let id = run.run().clone();
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    let document = engine.postmortem(&id).await.expect("a postmortem");
    assert_eq!(
        (shares, document.matches("check front door passed").count()),
        (5, 2),
        "table and timeline: {document}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_gate_does_not_pass_before_its_checks_have() {
    let took = async |failures: u32| {
        let world = World::new().await;
        let smoke = MemoryCheck::new("smoke", staging(), CheckScope::Slot);
        let engine = engine(&world, &[&smoke]);
        let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
        (0..failures).for_each(|_| smoke.fail(ErrorKind::Unavailable));
        let _traffic = world.traffic(None, 0);
        let started = Instant::now();
        let outcome = engine.start(plan).await.expect("a free target").outcome().await.expect("an end");
        (started.elapsed(), outcome)
    };
    let (quick, first) = took(0).await;
    let (slow, second) = took(6).await;
    assert!(matches!(first, Outcome::Succeeded { .. }), "{first}");
    assert!(matches!(second, Outcome::Succeeded { .. }), "{second}");
    // Half a minute of soaking; the seventh look, after a minute and a half, is the first that sees anything.
    assert!(slow >= quick + Duration::from_secs(55), "{quick:?}, {slow:?}");
    let (_, never) = took(1000).await;
    assert!(
        never
            .to_string()
            .starts_with("rolled back: step 5: inconclusive: nothing was shown until the deadline"),
        "{never}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_late_is_a_late_breach() {
    let world = World::new().await;
    let mut settings = settings();
    settings.after_success.lasting = Period::from_hours(2);
    settings.after_success.on_breach = LateBreach::RollBack;
    let door = MemoryCheck::new("front door", production(), CheckScope::FrontDoor);
    let policy = Policy::new(settings).expect("a policy that makes sense");
    let engine = world.builder("w1").policy(policy).check(door.clone()).build().expect("a complete engine");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let (fixed, baseline) = (artifact_of(&plan), world.baseline().await);
    let _traffic = world.traffic(None, 0);
    engine.start(plan).await.expect("a free target").outcome().await.expect("an end");
    tokio::time::sleep(Duration::from_secs(600)).await;
    door.find(&fixed, broken("front door"));
    tokio::time::sleep(Duration::from_secs(120)).await;

    let runs = engine.runs(RunFilter::All).await.expect("a readable store");
    let names: Vec<_> = runs.iter().map(|run| run.run.as_str().to_owned()).collect();
    assert!(names[2].ends_with("-watch-rollback"), "{names:?}");
    assert!(runs.iter().all(|run| run.state == hotfix_core::port::RunState::Ended), "{runs:?}");
    let workload = hotfix_core::port::Deployer::observe(&world.deployer, &production()).await;
    assert_eq!(workload.expect("a known target").live_artifact(), Some(baseline));
}

#[tokio::test(start_paused = true)]
async fn two_checks_cannot_have_one_name() {
    let world = World::new().await;
    let check = || MemoryCheck::new("smoke", production(), CheckScope::Slot);
    let error = world.builder("w1").check(check()).check(check()).build().expect_err("one name twice");
    assert!(matches!(&error, EngineError::SameName { check } if check == "smoke"), "{error}");
}
