//! The same in real time, with the real Alertmanager.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::execute::Outcome;
use hotfix_core::model::{Period, Phase};
use hotfix_core::policy::Policy;
use hotfix_core::port::Clock as _;
use hotfix_engine::{Engine, SystemClock};
use hotfix_metrics::{Alertmanager, AlertmanagerConfig};
use hotfix_testkit::monitoring::RealAlertmanager;

use crate::world::{World, settings, until_phase};

/// Waits until Alertmanager tells of silences in these states, in any order.
async fn told(real: &RealAlertmanager, states: &[&str]) -> Vec<serde_json::Value> {
    let mut found = Vec::new();
    for _ in 0..600 {
        found = real.silences().await.expect("an Alertmanager that answers");
        let mut now: Vec<_> =
            found.iter().filter_map(|silence| silence["status"]["state"].as_str()).collect();
        now.sort_unstable();
        if now == states {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{found:?}");
}

fn engine(world: &World, real: &RealAlertmanager) -> Engine {
    let config = AlertmanagerConfig { url: real.url(), ..AlertmanagerConfig::default() };
    let silencer = Alertmanager::new(&config, Arc::new(world.clock.clone())).expect("a valid configuration");
    let mut settings = settings();
    settings.rollout.staging_soak = Period::default();
    let policy = Policy::new(settings).expect("a policy that makes sense");
    world.builder("w1").policy(policy).silencer(silencer).build().expect("a complete engine")
}

#[tokio::test]
async fn what_a_killed_process_silenced_is_heard_again_when_its_successor_rolls_back() {
    let real = RealAlertmanager::start().await.expect("an Alertmanager");
    let world = World::at(SystemClock.now()).await;
    let first = engine(&world, &real);
    let _traffic = world.traffic(None, 0);
    let mut run = world.start(&first, &world.fix("version 2.1.1")).await;
    until_phase(&mut run, Phase::Production).await;
    let silenced = told(&real, &["active"]).await;
    let comment = format!("production/shop is changed as planned [hotfix run {}]", run.run());
    assert_eq!(silenced[0]["comment"], comment);
    let name = run.run().clone();
    first.flush().await;
    drop((run, first));

    let second = engine(&world, &real);
    let run = second.resume_all().await.expect("a readable store").pop().expect("one run");
    second.flush().await;
    assert_eq!(told(&real, &["active"]).await[0]["id"], silenced[0]["id"]);
    second.cancel(&name, "ada", "the wrong fix").await.expect("an open run");
    told(&real, &["expired"]).await;
    let outcome = run.outcome().await.expect("an end");
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
}
