//! Silences in the real Alertmanager, and in ones that stumble.

use std::sync::Arc;

use hotfix_core::ErrorKind;
use hotfix_core::memory::ManualClock;
use hotfix_core::model::Period;
use hotfix_core::port::Clock;
use hotfix_metrics::{Alertmanager, AlertmanagerConfig, Matcher, Silence};
use hotfix_testkit::http::{Answer, ScriptedServer};
use hotfix_testkit::monitoring::RealAlertmanager;

use crate::stage::Now;

fn client(url: String, clock: impl Clock + 'static) -> Alertmanager {
    Alertmanager::new(&AlertmanagerConfig { url, ..AlertmanagerConfig::default() }, Arc::new(clock)).unwrap()
}

fn silence(run: &str, clock: &dyn Clock) -> Silence {
    Silence {
        run: run.parse().unwrap(),
        matchers: vec![Matcher::new("service", "shop"), Matcher::new("environment", "produc.*")],
        until: clock.now() + Period::from_mins(30).to_delta(),
        author: "hotfix".to_owned(),
        comment: "planned rollout of PROD-2847".to_owned(),
    }
}

/// What Alertmanager tells of its silences.
async fn told(url: &str) -> Vec<serde_json::Value> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(format!("{url}/api/v2/silences")).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_silence_is_made_once_and_lifted() {
    let real = RealAlertmanager::start().await.unwrap();
    let client = client(real.url(), Now);
    let wanted = silence("run-1", &Now);
    let id = client.silence(&wanted).await.unwrap();
    assert_eq!(client.silence(&wanted).await.unwrap(), id);
    let other = client.silence(&silence("run-12", &Now)).await.unwrap();
    assert_ne!(other, id);
    let all = told(&real.url()).await;
    let made = all.iter().find(|silence| silence["id"] == id.to_string()).unwrap();
    assert_eq!(made["status"]["state"], "active");
    assert_eq!(made["comment"], "planned rollout of PROD-2847 [hotfix run run-1]");
    let matchers = made["matchers"].as_array().unwrap();
    let literal = matchers.iter().find(|matcher| matcher["name"] == "environment").unwrap();
    assert_eq!((&literal["value"], &literal["isRegex"]), (&"produc.*".into(), &false.into()));

    client.lift(&id).await.unwrap();
    client.lift(&id).await.unwrap();
    let all = told(&real.url()).await;
    let state = |id: &str| all.iter().find(|silence| silence["id"] == id).unwrap()["status"]["state"].clone();
    assert_eq!((state(&id.to_string()), state(&other.to_string())), ("expired".into(), "active".into()));
    assert_ne!(client.silence(&wanted).await.unwrap(), id);
}

#[tokio::test]
async fn what_a_crashed_run_left_is_found_and_lifted() {
    let real = RealAlertmanager::start().await.unwrap();
    let client = client(real.url(), Now);
    let (lost, kept) = (silence("run-7", &Now), silence("run-8", &Now));
    client.silence(&lost).await.unwrap();
    let kept_id = client.silence(&kept).await.unwrap();
    assert_eq!(client.lift_all(&lost.run).await.unwrap(), 1);
    assert_eq!(client.lift_all(&lost.run).await.unwrap(), 0);
    assert_eq!(client.silence(&kept).await.unwrap(), kept_id);
}

#[tokio::test]
async fn what_would_silence_all_or_nothing_is_refused_before_anything_is_sent() {
    let (server, clock) = (ScriptedServer::start().await, ManualClock::default());
    let client = client(server.url(""), clock.clone());
    let wanted = silence("run-1", &clock);
    for bad in [
        Silence { matchers: vec![], ..wanted.clone() },
        Silence { matchers: vec![Matcher::new("service", "")], ..wanted.clone() },
        Silence { until: clock.now(), ..wanted },
    ] {
        assert_eq!(client.silence(&bad).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn an_alertmanager_that_stumbles_is_an_error_of_its_kind() {
    let clock = ManualClock::default();
    for (answer, kind) in [
        (Answer::status(503), ErrorKind::Unavailable),
        (Answer::status(403), ErrorKind::Forbidden),
        (Answer::status(404), ErrorKind::NotFound),
        (Answer::status(200).text("<html>"), ErrorKind::Unexpected),
        (Answer::cut(), ErrorKind::Unavailable),
    ] {
        let server = ScriptedServer::start().await;
        server.respond(answer);
        let client = client(server.url(""), clock.clone());
        assert_eq!(client.silence(&silence("run-1", &clock)).await.unwrap_err().kind(), kind);
    }
}
