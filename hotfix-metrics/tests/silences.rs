//! Silences in the real Alertmanager, and in ones that stumble.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::ErrorKind;
use hotfix_core::memory::ManualClock;
use hotfix_core::model::{Period, Target, Timestamp};
use hotfix_core::port::{Clock, Silence, Silencer};
use hotfix_http::ConfigError;
use hotfix_metrics::{Alertmanager, AlertmanagerConfig};
use hotfix_testkit::conformance::silencer::{self, SilencerFixture, SilencerSite};
use hotfix_testkit::http::{Answer, ScriptedServer};
use hotfix_testkit::monitoring::RealAlertmanager;
use tokio::sync::Mutex;

use crate::stage::Now;

fn client(url: String, clock: impl Clock + 'static) -> Alertmanager {
    Alertmanager::new(&AlertmanagerConfig { url, ..AlertmanagerConfig::default() }, Arc::new(clock)).unwrap()
}

fn silence(run: &str, target: &str, clock: &dyn Clock) -> Silence {
    let until = clock.now() + Period::from_mins(30).to_delta();
    Silence { run: run.parse().unwrap(), target: target.parse().unwrap(), until }
}

/// The real one, anew for each case.
struct Fixture(Mutex<Option<RealAlertmanager>>);

#[async_trait]
impl SilencerFixture for Fixture {
    async fn site(&self) -> SilencerSite {
        let real = RealAlertmanager::start().await.unwrap();
        let another = || Arc::new(client(real.url(), Now)) as Arc<dyn Silencer>;
        let site = SilencerSite { silencer: another(), second: another(), now: whole_seconds(Now.now()) };
        *self.0.lock().await = Some(real);
        site
    }

    async fn lasting(&self, _: &SilencerSite, target: &Target) -> Vec<Timestamp> {
        let real = self.0.lock().await;
        let all = real.as_ref().unwrap().silences().await.unwrap();
        let matches = |silence: &&serde_json::Value| {
            let matchers = silence["matchers"].as_array().unwrap();
            let holds =
                |name: &str, value: &str| matchers.iter().any(|m| m["name"] == name && m["value"] == value);
            silence["status"]["state"] == "active"
                && holds("environment", target.environment.as_str())
                && holds("service", target.service.as_str())
        };
        let end = |silence: &serde_json::Value| silence["endsAt"].as_str().unwrap().parse().unwrap();
        all.iter().filter(matches).map(end).collect()
    }
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_timestamp(at.timestamp(), 0).unwrap()
}

#[tokio::test]
async fn the_real_alertmanager_keeps_the_contract_of_a_silencer() {
    silencer::all(&Fixture(Mutex::default())).await;
}

#[tokio::test]
async fn a_silence_says_who_made_it_why_and_for_which_run() {
    let real = RealAlertmanager::start().await.unwrap();
    let config = AlertmanagerConfig {
        url: real.url(),
        author: "platform".into(),
        matchers: [("namespace".into(), "${environment}".into()), ("job".into(), "${service}.*".into())]
            .into(),
        ..AlertmanagerConfig::default()
    };
    let client = Alertmanager::new(&config, Arc::new(Now)).unwrap();
    client.silence(&silence("run-1", "production/shop", &Now)).await.unwrap();
    let all = real.silences().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["comment"], "production/shop is changed as planned [hotfix run run-1]");
    assert_eq!(all[0]["createdBy"], "platform");
    let matcher = |name: &str, value: &str| serde_json::json!({ "isEqual": true, "isRegex": false, "name": name, "value": value });
    // Taken literally, whatever it means elsewhere.
    assert_eq!(
        all[0]["matchers"],
        serde_json::json!([matcher("job", "shop.*"), matcher("namespace", "production")])
    );
}

#[tokio::test]
async fn two_silences_of_two_processes_are_both_lifted() {
    let real = RealAlertmanager::start().await.unwrap();
    let (one, other) = (client(real.url(), Now), client(real.url(), Now));
    let wanted = silence("run-7", "production/shop", &Now);
    let (a, b) = tokio::join!(one.silence(&wanted), other.silence(&wanted));
    a.and(b).unwrap();
    client(real.url(), Now).lift(&wanted).await.unwrap();
    let all = real.silences().await.unwrap();
    assert!(!all.is_empty() && all.iter().all(|silence| silence["status"]["state"] == "expired"), "{all:?}");
}

#[tokio::test]
async fn what_would_silence_nothing_is_refused_before_anything_is_sent() {
    let (server, clock) = (ScriptedServer::start().await, ManualClock::default());
    let client = client(server.url(""), clock.clone());
    let ended = Silence { until: clock.now(), ..silence("run-1", "production/shop", &clock) };
    assert_eq!(client.silence(&ended).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn what_would_silence_others_is_refused() {
    let refused = |matchers: &[(&str, &str)], name: &str| {
        let matchers = matchers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let config = AlertmanagerConfig { matchers, name: name.into(), ..AlertmanagerConfig::default() };
        match Alertmanager::new(&config, Arc::new(Now)) {
            Err(ConfigError::Invalid { field, .. }) => Some(field),
            other => panic!("{other:?}"),
        }
    };
    for matchers in [
        &[][..],
        &[("environment", "${environment}")],
        &[("a-b", "${service}")],
        &[("a", "${service}${slot}")],
    ] {
        assert_eq!(refused(matchers, "alertmanager"), Some("alertmanager.matchers"), "{matchers:?}");
    }
    assert_eq!(refused(&[("service", "${service}")], ""), Some("alertmanager.name"));
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
        let client = client(server.url(""), clock.clone());
        let wanted = silence("run-1", "production/shop", &clock);
        server.respond(answer.clone());
        assert_eq!(client.silence(&wanted).await.unwrap_err().kind(), kind);
        server.respond(answer);
        assert_eq!(client.lift(&wanted).await.unwrap_err().kind(), kind);
    }
}
