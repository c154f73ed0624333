//! Probes as checks of a rollout.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hotfix_core::memory::ManualClock;
use hotfix_core::model::{Artifact, ObjectId, Period, Target};
use hotfix_core::port::{Check as _, CheckScope, CheckSubject};
use hotfix_http::ConfigError;
use hotfix_metrics::{Ask, Endpoint, HealthCheck, HealthCheckConfig, ProbeConfig};
use hotfix_testkit::conformance::check::{self, CheckFixture, CheckSite};
use hotfix_testkit::http::{Answer, ScriptedServer};

use crate::probes::config;

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

pub(crate) fn subject(slot: &str) -> CheckSubject {
    let tree = Artifact::Tree(ObjectId::new("1".repeat(40)).unwrap());
    CheckSubject { target: target("production/shop"), slot: slot.parse().unwrap(), artifact: tree.id() }
}

fn check_of(probe: ProbeConfig) -> HealthCheck {
    let config = HealthCheckConfig { probe, environments: vec!["production".parse().unwrap()] };
    HealthCheck::new(config, Arc::new(ManualClock::default())).unwrap()
}

/// Looks again and again without a pause, until the threshold is reached.
fn impatient(at: String) -> ProbeConfig {
    let interval = Period::from_millis(1);
    ProbeConfig { name: "checkout".into(), interval, failure_threshold: 3, ..config(at, Ask::default()) }
}

struct Fixture(Mutex<Option<ScriptedServer>>);

#[async_trait]
impl CheckFixture for Fixture {
    async fn site(&self) -> CheckSite {
        let server = ScriptedServer::start().await;
        server.otherwise(Answer::status(200));
        let check = check_of(impatient(server.url("/{slot}/healthz")));
        *self.0.lock().unwrap() = Some(server);
        CheckSite { check: Arc::new(check), subject: subject("green"), other: Some(target("staging/shop")) }
    }

    async fn break_down(&self, _: &CheckSite) {
        self.0.lock().unwrap().as_ref().unwrap().otherwise(Answer::status(503));
    }
}

#[tokio::test]
async fn a_probe_keeps_the_contract_of_a_check() {
    check::all(&Fixture(Mutex::default())).await;
}

#[tokio::test]
async fn each_slot_is_asked_by_its_own_name_until_it_is_known() {
    let server = ScriptedServer::start().await;
    let check = check_of(impatient(server.url("/{environment}/{service}/{slot}")));
    assert_eq!(check.scope(&target("production/shop")), CheckScope::Slot);
    server.respond_on("/production/shop/blue", Answer::status(200));
    assert_eq!(check.look(&subject("blue")).await.unwrap().faults, []);
    for status in [503, 503, 200] {
        server.respond_on("/production/shop/green", Answer::status(status));
    }
    let report = check.look(&subject("green")).await.unwrap();
    assert_eq!((report.faults, report.seen.as_str()), (vec![], "checkout: 1 of 1 endpoints healthy"));
    for _ in 0..3 {
        server.respond_on("/production/shop/green", Answer::status(500));
    }
    let report = check.look(&subject("green")).await.unwrap();
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    let at = server.url("/production/shop/green");
    assert_eq!(faults, [format!("{at} is no longer ready: checkout: status 500 instead of 200 to 299")]);
    server.verify();
}

#[tokio::test]
async fn the_front_door_is_of_no_slot_and_both_do_not_mix() {
    let door = check_of(config("http://shop.example/healthz", Ask::default()));
    assert_eq!(door.scope(&target("production/shop")), CheckScope::FrontDoor);
    assert_eq!(door.scope(&target("staging/shop")), CheckScope::Nothing);
    let mut mixed = config("http://shop.example/healthz", Ask::default());
    mixed.endpoints.push(Endpoint::new("http://{slot}.shop.example/healthz"));
    let mixed = HealthCheckConfig { probe: mixed, environments: Vec::new() };
    let error = HealthCheck::new(mixed, Arc::new(ManualClock::default())).unwrap_err();
    assert!(matches!(&error, ConfigError::Invalid { field: "probe.endpoints", .. }), "{error}");
}

#[test]
fn what_takes_longer_to_know_than_anybody_waits_is_refused() {
    let asked = |failure_threshold| {
        let probe = config("http://shop.example/healthz", Ask::default());
        let probe = ProbeConfig { failure_threshold, timeout: Period::from_secs(2), ..probe };
        let config = HealthCheckConfig { probe, environments: Vec::new() };
        HealthCheck::new(config, Arc::new(ManualClock::default()))
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(asked(12), Ok(()), "twelve times five seconds");
    let why = "probe.failure_threshold is not valid: must be reached within 1m; it takes 1m5s here";
    assert_eq!(asked(13), Err(why.to_owned()));
}
