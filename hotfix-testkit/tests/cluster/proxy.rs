//! The proxy in front of the API server: what arrives, what is heard, and when.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use hotfix_core::model::Period;
use hotfix_testkit::cluster::{Disturbance, FaultProxy, TestCluster, TestNamespace};
use hotfix_testkit::http::{Answer, Recorded};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams, WatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::Instant;

/// A map in the shared cluster, reached directly and through the proxy.
struct Site {
    proxy: FaultProxy,
    direct: Api<ConfigMap>,
    disturbed: Api<ConfigMap>,
    _namespace: TestNamespace,
}

impl Site {
    async fn open() -> Self {
        let cluster = TestCluster::shared().await.unwrap();
        let namespace = cluster.namespace("proxy").await.unwrap();
        let proxy = cluster.proxy().await.unwrap();
        let mut config = proxy.through(&cluster.config());
        config.default_retry = false;
        let disturbed = Api::namespaced(Client::try_from(config).unwrap(), &namespace);
        let direct: Api<ConfigMap> = Api::namespaced(cluster.client().unwrap(), &namespace);
        let metadata = ObjectMeta { name: Some("count".to_owned()), ..ObjectMeta::default() };
        let map = ConfigMap { metadata, ..ConfigMap::default() };
        direct.create(&PostParams::default(), &map).await.unwrap();
        Self { proxy, direct, disturbed, _namespace: namespace }
    }

    /// Sets the value through the proxy; what it says is the status of a refusal, or nothing for a lost answer.
    async fn set(&self, value: &str) -> Result<(), Option<u16>> {
        let patch = Patch::Merge(json!({"data": {"value": value}}));
        match self.disturbed.patch("count", &PatchParams::default(), &patch).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(Some(status.code)),
            Err(_) => Err(None),
        }
    }

    async fn value(&self) -> Option<String> {
        self.direct.get("count").await.unwrap().data?.remove("value")
    }
}

fn is_patch(request: &Recorded) -> bool {
    request.method == "PATCH" && request.path.ends_with("/configmaps/count")
}

#[tokio::test]
async fn what_is_not_disturbed_passes_as_the_user_that_sent_it() {
    let site = Site::open().await;
    site.set("one").await.unwrap();
    assert_eq!(site.value().await.as_deref(), Some("one"));
    let happened = site.proxy.happened();
    assert_eq!(happened.len(), 1);
    assert!(happened[0].disturbance.is_none());
    assert_eq!(happened[0].request.body, r#"{"data":{"value":"one"}}"#);
}

#[tokio::test]
async fn a_request_can_be_lost_on_the_way_and_its_answer_on_the_way_back() {
    let site = Site::open().await;
    site.proxy.next(is_patch, Disturbance::Instead(Answer::cut()));
    assert_eq!(site.set("lost").await, Err(None));
    assert_eq!(site.value().await, None);
    site.proxy.next(is_patch, Disturbance::LoseAnswer);
    assert_eq!(site.set("unheard").await, Err(None));
    assert_eq!(site.value().await.as_deref(), Some("unheard"));
    site.set("heard").await.expect("each was meant for one request");
}

#[tokio::test]
async fn answers_can_be_replaced_until_that_is_taken_back() {
    let site = Site::open().await;
    site.proxy.every(is_patch, Disturbance::Instead(Answer::status(429).header("retry-after", "1")));
    assert_eq!(site.set("one").await, Err(Some(429)));
    assert_eq!(site.set("two").await, Err(Some(429)));
    assert_eq!(site.value().await, None);
    site.proxy.clear();
    site.proxy.next(is_patch, Disturbance::ReplaceAnswer(Answer::status(504)));
    assert_eq!(site.set("three").await, Err(Some(504)));
    assert_eq!(site.value().await.as_deref(), Some("three"));
}

#[tokio::test]
async fn a_held_request_arrives_when_it_is_released_though_its_caller_is_gone() {
    let site = Site::open().await;
    site.proxy.next(is_patch, Disturbance::Hold);
    let gave_up = tokio::time::timeout(Duration::from_millis(50), site.set("late")).await;
    assert!(gave_up.is_err());
    site.proxy.held(1).await;
    site.set("early").await.unwrap();
    assert_eq!(site.proxy.release().await, [200]);
    assert_eq!(site.value().await.as_deref(), Some("late"));

    site.proxy.next(is_patch, Disturbance::Hold);
    let (said, released) = tokio::join!(site.set("patient"), async {
        site.proxy.held(1).await;
        site.proxy.release().await
    });
    assert_eq!((said, released), (Ok(()), vec![200]));
}

#[tokio::test]
async fn a_held_answer_is_heard_when_it_is_released_and_what_was_asked_is_done_before() {
    let site = Site::open().await;
    site.proxy.next(is_patch, Disturbance::HoldAnswer);
    let mut setting = Box::pin(site.set("done"));
    tokio::select! {
        said = &mut setting => panic!("it was heard: {said:?}"),
        () = site.proxy.held(1) => {}
    }
    assert_eq!(site.value().await.as_deref(), Some("done"));
    let (said, released) = tokio::join!(setting, site.proxy.release());
    assert_eq!((said, released), (Ok(()), vec![200]));

    site.proxy.next(is_patch, Disturbance::HoldAnswer);
    tokio::select! {
        said = site.set("unheard") => panic!("it was heard: {said:?}"),
        () = site.proxy.held(1) => {}
    }
    site.set("later").await.unwrap();
    assert_eq!(site.proxy.release().await, [200]);
    assert_eq!(site.value().await.as_deref(), Some("later"));
}

#[tokio::test]
async fn a_request_can_come_late_and_so_can_its_answer() {
    const LATE: Duration = Duration::from_secs(1);
    let late = Period::from_secs(1);
    let site = Site::open().await;
    // When the value was there, if that was before it was heard, and when it was heard.
    let later = async |disturbance: Disturbance, value: &str| {
        site.proxy.next(is_patch, disturbance);
        let (begun, mut arrived) = (Instant::now(), None);
        let mut setting = Box::pin(site.set(value));
        let said = loop {
            tokio::select! {
                said = &mut setting => break said,
                found = site.value(), if arrived.is_none() => {
                    arrived = (found.as_deref() == Some(value)).then(|| begun.elapsed());
                }
            }
        };
        said.unwrap();
        (arrived, begun.elapsed())
    };
    let (arrived, heard) = later(Disturbance::DelayAnswer(late), "one").await;
    assert!(arrived.is_some() && heard >= LATE, "{arrived:?} {heard:?}");
    let (arrived, heard) = later(Disturbance::Delay(late), "two").await;
    assert!(arrived.is_none_or(|arrived| arrived >= LATE) && heard >= LATE, "{arrived:?} {heard:?}");
    assert_eq!(site.value().await.as_deref(), Some("two"));
}

#[tokio::test]
async fn a_copy_arrives_after_what_came_later() {
    let site = Site::open().await;
    site.proxy.next(is_patch, Disturbance::Duplicate);
    site.set("one").await.unwrap();
    site.set("two").await.unwrap();
    assert_eq!(site.value().await.as_deref(), Some("two"));
    assert_eq!(site.proxy.release().await, [200]);
    assert_eq!(site.value().await.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_watch_streams_and_can_be_cut_and_silenced() {
    let site = Site::open().await;
    let version = site.direct.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let watch = site.disturbed.watch(&WatchParams::default(), &version).await.unwrap();
    let mut watch = std::pin::pin!(watch);
    site.set("seen").await.unwrap();
    let event = watch.try_next().await.unwrap();
    assert!(matches!(event, Some(kube::api::WatchEvent::Modified(_))), "{event:?}");
    site.proxy.cut_connections();
    let rest = watch.collect::<Vec<_>>().await;
    assert!(rest.iter().all(Result::is_err), "{rest:?}");

    site.proxy.next(|request| request.query.contains("watch=true"), Disturbance::Silence);
    let watch = site.disturbed.watch(&WatchParams::default(), &version).await.unwrap();
    let mut watch = std::pin::pin!(watch);
    site.set("unseen").await.unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(300), watch.next()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test]
async fn another_process_can_be_led_through_the_proxy_as_a_user() {
    let cluster = TestCluster::shared().await.unwrap();
    let namespace = cluster.namespace("proxy").await.unwrap();
    let user = cluster.user(&namespace, "nobody", &[]).await.unwrap();
    let proxy = cluster.proxy().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (config, name) in [(user.clone(), "direct"), (proxy.through(&user), "disturbed")] {
        let file = folder.path().join(name);
        cluster.write_kubeconfig(&config, &file).unwrap();
        let there = TestCluster::existing(&file).await.unwrap();
        let maps: Api<ConfigMap> = Api::default_namespaced(there.client().unwrap());
        let refused = maps.get("any").await.unwrap_err().to_string();
        let who = format!("\"system:serviceaccount:{namespace}:nobody\" cannot get resource \"configmaps\"");
        assert!(refused.contains(&who), "{name}: {refused}");
    }
    let paths: Vec<_> = proxy.happened().into_iter().map(|happened| happened.request.path).collect();
    assert_eq!(paths, [format!("/api/v1/namespaces/{namespace}/configmaps/any")]);
}
