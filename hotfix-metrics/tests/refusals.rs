//! What becomes of a query when the server refuses, stumbles or is somebody else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::memory::ManualClock;
use hotfix_core::model::Period;
use hotfix_core::port::{MetricsQuery, MetricsSource, Scrape};
use hotfix_core::{Error, ErrorKind, RetryClass};
use hotfix_http::{Auth, HttpConfig, SecretSource};
use hotfix_metrics::{Prometheus, PrometheusConfig};
use hotfix_testkit::http::{Answer, ScriptedServer};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/query";

fn config(server: &ScriptedServer) -> PrometheusConfig {
    let http = HttpConfig {
        deadline: Period::from_millis(1500),
        connect: Period::from_secs(1),
        ..HttpConfig::default()
    };
    let interval = Period::from_millis(1500);
    PrometheusConfig { url: server.url(""), interval, http, ..PrometheusConfig::default() }
}

fn source(config: &PrometheusConfig) -> Prometheus {
    Prometheus::new(config, Arc::new(ManualClock::default())).unwrap()
}

async fn scrape(source: &Prometheus) -> Result<Scrape, Error> {
    let query = MetricsQuery {
        target: "production/shop".parse().unwrap(),
        slots: vec!["blue".parse().unwrap()],
        bounds: Vec::new(),
    };
    source.scrape(&query).await
}

fn found() -> Value {
    json!({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"__name__": "http_requests_total", "code": "200", "slot": "blue"}, "values": [[1, "3"]]},
    ]}})
}

fn refused(word: &str) -> Value {
    json!({"status": "error", "errorType": word, "error": "why"})
}

#[tokio::test]
async fn the_question_is_posted_as_a_form() {
    let server = ScriptedServer::start().await;
    server.respond(Answer::json(200, &found()));
    let scrape = scrape(&source(&config(&server))).await.unwrap();
    assert_eq!(scrape.series.iter().map(|series| series.requests).sum::<f64>(), 3.0);
    let request = server.request(0).await;
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", PATH));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(
        request.text().starts_with("query=%7B__name__%3D%7E%22http_requests_total"),
        "{}",
        request.text()
    );
    assert!(
        request.text().contains("&time=") && request.text().contains("&timeout=1."),
        "{}",
        request.text()
    );
}

#[tokio::test]
async fn where_posts_are_refused_gets_are_sent_from_then_on() {
    for status in [405, 501] {
        let server = ScriptedServer::start().await;
        server.respond(Answer::status(status));
        server.otherwise(Answer::json(200, &found()));
        let source = source(&config(&server));
        scrape(&source).await.unwrap();
        scrape(&source).await.unwrap();
        let methods: Vec<_> = server.requests().into_iter().map(|request| request.method).collect();
        assert_eq!(methods, ["POST", "GET", "GET"]);
        assert!(server.requests()[1].query.starts_with("query=%7B__name__"), "{:?}", server.requests()[1]);
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_is_not_repeated() {
    for (answer, kind, message) in [
        (Answer::json(400, &refused("bad_data")), ErrorKind::Invalid, "HTTP 400: bad_data: why"),
        (Answer::json(422, &refused("execution")), ErrorKind::Invalid, "HTTP 422: execution: why"),
        (Answer::json(200, &refused("bad_data")), ErrorKind::Invalid, "bad_data: why"),
        (
            Answer::status(401).text("<html>canary</html>"),
            ErrorKind::Unauthenticated,
            "HTTP 401: check `auth`",
        ),
        (Answer::status(403), ErrorKind::Forbidden, "HTTP 403: these credentials may not ask this"),
        (
            Answer::status(302).header("location", "http://127.0.0.1:1/"),
            ErrorKind::Invalid,
            "HTTP 302: redirects are not followed; set `url` to where it leads",
        ),
        (
            Answer::status(200).text("<html>log in</html>"),
            ErrorKind::Unexpected,
            "not an answer of the Prometheus API: expected value at line 1 column 1; check that `url` leads to the API \
             and not to a login page",
        ),
    ] {
        let server = ScriptedServer::start().await;
        server.respond(answer);
        let error = scrape(&source(&config(&server))).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, RetryClass::Never), "{error}");
        assert_eq!(error.to_string(), format!("metrics.scrape: {kind}: {message}"));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let whole = Answer::json(200, &found());
    for stumble in [
        Answer::json(503, &refused("timeout")),
        Answer::json(503, &refused("unavailable")),
        Answer::json(500, &refused("internal")),
        Answer::status(502).text("<html>Bad gateway</html>"),
        Answer::status(429),
        Answer::cut(),
        whole.clone().cut_after(0),
        whole.clone().cut_after(100),
    ] {
        let server = ScriptedServer::start().await;
        server.respond(stumble);
        server.respond(whole.clone());
        assert_eq!(scrape(&source(&config(&server))).await.unwrap().series.len(), 1);
        server.verify();
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_there_is_time() {
    let server = ScriptedServer::start().await;
    server.respond(Answer::status(429).header("retry-after", "30"));
    let error = scrape(&source(&config(&server))).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, RetryClass::Later));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    for hang in [Answer::hang(), Answer::json(200, &found()).hang_after(50)] {
        let server = ScriptedServer::start().await;
        server.otherwise(hang);
        let mut config = config(&server);
        config.http.deadline = Period::from_millis(300);
        config.http.connect = Period::from_millis(200);
        config.interval = Period::from_millis(300);
        let error = scrape(&source(&config)).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, RetryClass::Later), "{error}");
    }
}

#[tokio::test]
async fn nothing_listens() {
    let server = ScriptedServer::start().await;
    let config = config(&server);
    drop(server);
    let error = scrape(&source(&config)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let server = ScriptedServer::start().await;
    server.respond(Answer::json(200, &found()));
    let config = PrometheusConfig { answer_limit: 100, ..config(&server) };
    assert_eq!(
        scrape(&source(&config)).await.unwrap_err().to_string(),
        "metrics.scrape: invalid: the answer is longer than 100 bytes; select fewer series or raise `answer_limit`"
    );
}

#[tokio::test]
async fn warnings_are_handed_on_and_infos_are_not() {
    let server = ScriptedServer::start().await;
    let mut body = found();
    body["warnings"] = json!(["store \u{1b}[1m3 did not answer"]);
    body["infos"] = json!(["metric might not be a counter"]);
    server.respond(Answer::json(200, &body));
    let scrape = scrape(&source(&config(&server))).await.unwrap();
    assert_eq!(scrape.warnings, ["store [1m3 did not answer"]);
}

#[tokio::test]
async fn the_same_question_at_the_same_time_is_asked_once() {
    let server = ScriptedServer::start().await;
    server.respond(Answer::json(200, &found()).after(Duration::from_millis(100)));
    let source = source(&config(&server));
    let (other, third) = (source.clone(), source.clone());
    let (one, two, three) = tokio::join!(scrape(&source), scrape(&other), scrape(&third));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(three.unwrap().series.len(), 1);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn credentials_are_sent_and_shown_nowhere() {
    let secret = || SecretSource::from("canary-7c1e");
    let tenant = BTreeMap::from([("X-Scope-OrgID".to_owned(), SecretSource::from("team-canary"))]);
    let basic = Auth::Basic { username: "ann".to_owned(), password: secret() };
    for (auth, authorization) in
        [(Auth::Bearer(secret()), "Bearer canary-7c1e"), (basic, "Basic YW5uOmNhbmFyeS03YzFl")]
    {
        let server = ScriptedServer::start().await;
        server.respond(Answer::status(403).text("canary-7c1e is not allowed"));
        let config = PrometheusConfig { auth, headers: tenant.clone(), ..config(&server) };
        let source = source(&config);
        let error = scrape(&source).await.unwrap_err();
        let request = server.request(0).await;
        assert_eq!(request.header("authorization"), Some(authorization));
        assert_eq!(request.header("x-scope-orgid"), Some("team-canary"));
        assert!(!format!("{source:?} {config:?} {error} {error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there_yet_is_told_apart() {
    let server = ScriptedServer::start().await;
    let auth = Auth::Bearer(SecretSource::File("/nonexistent/token".into()));
    let error = scrape(&source(&PrometheusConfig { auth, ..config(&server) })).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_sent() {
    let refusal = |config: PrometheusConfig| {
        Prometheus::new(&config, Arc::new(ManualClock::default())).unwrap_err().to_string()
    };
    let plain = || PrometheusConfig {
        url: "http://prometheus.example:9090".to_owned(),
        ..PrometheusConfig::default()
    };
    assert!(Prometheus::new(&plain(), Arc::new(ManualClock::default())).is_ok());
    assert_eq!(
        refusal(PrometheusConfig { auth: Auth::Bearer("canary".into()), ..plain() }),
        "prometheus.url is not valid: must begin with https:// (http:// only to this host)"
    );
    assert_eq!(
        refusal(PrometheusConfig { interval: Period::from_secs(0), ..plain() }),
        "prometheus.interval is not valid: must be longer than 0s: set it to the scrape_interval of the job"
    );
    let config: Result<PrometheusConfig, _> = serde_json::from_value(json!({"urls": "x"}));
    assert!(config.unwrap_err().to_string().starts_with("unknown field `urls`"));
    let config: PrometheusConfig = serde_json::from_value(json!({
        "url": "https://mimir.example/prometheus",
        "auth": {"bearer": {"file": "/run/secrets/token"}},
        "headers": {"X-Scope-OrgID": "team-a"},
        "traffic": {"convention": "istio"},
    }))
    .unwrap();
    assert!(Prometheus::new(&config, Arc::new(ManualClock::default())).is_ok());
}
