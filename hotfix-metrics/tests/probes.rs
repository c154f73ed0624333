//! What a probe says of endpoints that are well, unwell, slow, elsewhere and nowhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::memory::ManualClock;
use hotfix_core::model::Period;
use hotfix_metrics::{
    Ask, Endpoint, Health, HttpAsk, Probe, ProbeConfig, ProbeEvidence, ProbeFailure, ProbeFailureKind,
    Redirects,
};
use hotfix_testkit::http::{Answer, ScriptedServer};
use tokio::net::TcpListener;

pub(crate) fn config(at: impl Into<String>, ask: Ask) -> ProbeConfig {
    ProbeConfig {
        endpoints: vec![Endpoint::new(at)],
        ask,
        timeout: Period::from_secs(5),
        failure_threshold: 1,
        ..ProbeConfig::default()
    }
}

pub(crate) async fn look(config: &ProbeConfig) -> ProbeEvidence {
    Probe::new(config, Arc::new(ManualClock::default())).unwrap().look().await
}

/// Looks once, and returns the one failure.
pub(crate) async fn failure(config: &ProbeConfig) -> ProbeFailure {
    let evidence = look(config).await;
    assert_eq!(evidence.health(), Health::Unhealthy, "{evidence:?}");
    evidence.endpoints.into_iter().next().unwrap().first_failure.unwrap()
}

async fn answered(answer: Answer, ask: HttpAsk) -> ProbeEvidence {
    let server = ScriptedServer::start().await;
    server.otherwise(answer);
    look(&config(server.url("/healthz"), Ask::Http(ask))).await
}

async fn failed(answer: Answer, ask: HttpAsk) -> (ProbeFailureKind, String, Option<String>) {
    let evidence = answered(answer, ask).await;
    let failure = evidence.endpoints.into_iter().next().unwrap().first_failure.unwrap();
    (failure.kind, failure.cause, failure.body)
}

#[tokio::test]
async fn what_is_named_twice_is_looked_at_once() {
    let server = ScriptedServer::start().await;
    server.respond(Answer::status(200));
    let once = config(server.url("/healthz"), Ask::default());
    let twice = ProbeConfig { endpoints: [once.endpoints.clone(), once.endpoints.clone()].concat(), ..once };
    let evidence = look(&twice).await;
    assert_eq!((evidence.endpoints.len(), evidence.health()), (1, Health::Healthy));
    server.verify();
}

#[tokio::test]
async fn a_good_status_and_a_body_that_holds_what_it_must_are_health() {
    let wants = || HttpAsk { body: Some("\"ok\"".to_owned()), ..HttpAsk::default() };
    let good = Answer::status(204);
    assert_eq!(answered(good, HttpAsk::default()).await.health(), Health::Healthy);
    let good = Answer::status(200).text("{\"status\": \"ok\"}");
    assert_eq!(answered(good, wants()).await.health(), Health::Healthy);
    // Of a body without end only the beginning is read.
    let endless = Answer::status(200).text(format!("\"ok\"{}", "x".repeat(300_000))).hang_after(200_000);
    assert_eq!(answered(endless, wants()).await.health(), Health::Healthy);
}

#[tokio::test]
async fn the_first_failure_is_kept_without_secrets() {
    let bad = Answer::status(503).text("db down\npassword=canary\u{1b}[0m");
    assert_eq!(
        failed(bad, HttpAsk::default()).await,
        (
            ProbeFailureKind::Status,
            "status 503 instead of 200 to 299".to_owned(),
            Some("db down\npassword=[redacted]".to_owned())
        )
    );
    let wants = HttpAsk { body: Some("ok".to_owned()), ..HttpAsk::default() };
    let (kind, cause, body) = failed(Answer::status(200).text("starting"), wants).await;
    assert_eq!((kind, body.as_deref()), (ProbeFailureKind::Body, Some("starting")));
    assert_eq!(cause, "the first 8 bytes of the body do not hold \"ok\"");
    let (_, _, body) = failed(Answer::status(500).text("x".repeat(10_000)), HttpAsk::default()).await;
    assert_eq!(body.unwrap().len(), 2048);
}

#[tokio::test]
async fn redirects_are_judged_unless_they_are_to_be_followed() {
    let away = || Answer::status(302).header("location", "/login");
    assert_eq!(failed(away(), HttpAsk::default()).await.0, ProbeFailureKind::Status);
    let follow = || HttpAsk { redirects: Redirects::Follow(2), ..HttpAsk::default() };
    let (kind, cause, _) = failed(away(), follow()).await;
    assert_eq!((kind, cause.as_str()), (ProbeFailureKind::Redirect, "status 302 after 2 redirects"));
    let nowhere = Answer::status(302).header("location", "ftp://elsewhere/");
    assert_eq!(failed(nowhere, follow()).await.0, ProbeFailureKind::Redirect);
    let server = ScriptedServer::start().await;
    server.respond_on("/healthz", away());
    server.respond_on("/login", Answer::status(200));
    assert_eq!(look(&config(server.url("/healthz"), Ask::Http(follow()))).await.health(), Health::Healthy);
    server.verify();
}

#[tokio::test]
async fn headers_go_only_where_they_belong() {
    let (server, other) = (ScriptedServer::start().await, ScriptedServer::start().await);
    server.respond(Answer::status(307).header("location", other.url("/")));
    other.respond(Answer::status(200));
    let headers = BTreeMap::from([("X-Key".to_owned(), "canary".into())]);
    let ask = HttpAsk { headers, redirects: Redirects::Follow(1), ..HttpAsk::default() };
    assert_eq!(look(&config(server.url("/"), Ask::Http(ask))).await.health(), Health::Healthy);
    assert_eq!(server.request(0).await.header("x-key"), Some("canary"));
    assert_eq!(other.request(0).await.header("x-key"), None);
}

#[tokio::test]
async fn who_is_slow_is_told_from_who_never_ends() {
    let server = ScriptedServer::start().await;
    server.respond(Answer::status(200).after(Duration::from_millis(60)));
    let at = server.url("/");
    let limit = Some(Period::from_millis(50));
    let slow = failure(&ProbeConfig { latency_limit: limit, ..config(&at, Ask::default()) }).await;
    assert_eq!(slow.kind, ProbeFailureKind::TooSlow);
    assert!(
        slow.took >= Period::from_millis(60) && slow.cause.ends_with(" instead of at most 50ms"),
        "{slow:?}"
    );
    for hang in [Answer::hang(), Answer::status(200).text("drip").hang_after(1)] {
        server.respond(hang);
        let brief = ProbeConfig { timeout: Period::from_millis(150), ..config(&at, Ask::default()) };
        let failure = failure(&brief).await;
        assert_eq!(
            (failure.kind, failure.cause.as_str()),
            (ProbeFailureKind::Timeout, "no whole answer in time")
        );
    }
    drop(server);
    assert_eq!(failure(&config(&at, Ask::default())).await.kind, ProbeFailureKind::Connection);
}

#[tokio::test]
async fn of_tcp_a_connection_is_enough() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    assert_eq!(look(&config(&at, Ask::Tcp)).await.health(), Health::Healthy);
    drop(listener);
    assert_eq!(failure(&config(&at, Ask::Tcp)).await.kind, ProbeFailureKind::Connection);
}

#[tokio::test]
async fn a_watch_ends_when_an_endpoint_has_failed_too_often_in_a_row() {
    let (well, unwell) = (ScriptedServer::start().await, ScriptedServer::start().await);
    well.otherwise(Answer::status(200));
    for status in [500, 200, 500, 500] {
        unwell.respond(Answer::status(status));
    }
    let config = ProbeConfig {
        endpoints: vec![Endpoint::new(well.url("/")), Endpoint::new(unwell.url("/"))],
        interval: Period::from_millis(5),
        failure_threshold: 2,
        ..config("", Ask::default())
    };
    let evidence = Probe::new(&config, Arc::new(ManualClock::default())).unwrap().watch().await;
    let seen: Vec<_> =
        evidence.endpoints.iter().map(|seen| (seen.looks, seen.failures, seen.health)).collect();
    assert_eq!(seen, [(4, 0, Health::Healthy), (4, 3, Health::Unhealthy)]);
    unwell.verify();
}

#[tokio::test]
async fn a_watch_ends_well_after_its_time() {
    let server = ScriptedServer::start().await;
    server.otherwise(Answer::status(200));
    let (interval, duration) = (Period::from_millis(10), Period::from_millis(25));
    let config = ProbeConfig { interval, duration, ..config(server.url("/"), Ask::default()) };
    let evidence = Probe::new(&config, Arc::new(ManualClock::default())).unwrap().watch().await;
    assert_eq!(evidence.health(), Health::Healthy);
    assert!((1..=3).contains(&evidence.endpoints[0].looks), "{evidence:?}");
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_sent() {
    let refusal =
        |config: &ProbeConfig| Probe::new(config, Arc::new(ManualClock::default())).unwrap_err().to_string();
    let at = "http://shop.example/healthz";
    let of_instance = |at: &str| {
        let mut probe = config(at, Ask::default());
        probe.endpoints[0].instance = Some("10.1.2.3:8080".parse().unwrap());
        probe
    };
    let headers = BTreeMap::from([("X-Key".to_owned(), "canary".into())]);
    let secret = Ask::Http(HttpAsk { headers, ..HttpAsk::default() });
    for (config, message) in [
        (
            ProbeConfig { endpoints: vec![], ..config(at, Ask::Tcp) },
            "probe.endpoints is not set: name at least one",
        ),
        (
            ProbeConfig { failure_threshold: 0, ..config(at, Ask::Tcp) },
            "probe.failure_threshold is not valid: must be at least 1",
        ),
        (
            config("http://shop.example:80", Ask::Tcp),
            "probe.endpoints is not valid: \"http://shop.example:80\" is no host and port, such as shop.example:5432",
        ),
        (
            config("shop.example", Ask::Tcp),
            "probe.endpoints is not valid: \"shop.example\" is no host and port, such as shop.example:5432",
        ),
        (
            of_instance("http://127.0.0.1/healthz"),
            "probe.endpoints is not valid: must name the service, or nobody asks the instance 10.1.2.3:8080",
        ),
        (
            of_instance("http://shop.example:9000/healthz"),
            "probe.endpoints is not valid: must have the port of the instance 10.1.2.3:8080, or none",
        ),
        (
            config(at, secret),
            "probe.endpoints is not valid: must begin with https:// (http:// only to this host)",
        ),
        (
            config(at, Ask::Http(HttpAsk { method: "G T".to_owned(), ..HttpAsk::default() })),
            "probe.ask.method is not valid: \"G T\" is no method",
        ),
    ] {
        assert_eq!(refusal(&config), message);
    }
}
