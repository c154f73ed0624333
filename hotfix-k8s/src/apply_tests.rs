use std::collections::BTreeMap;
use std::future;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotfix_core::memory::ManualClock;
use hotfix_core::model::{Artifact, IdempotencyKey, Release, SlotName, Stamp, Timestamp, WorkloadSnapshot};
use hotfix_core::port::Deployer as _;
use http::{Method, Request, Response};
use json_patch::Patch;
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tower::service_fn;

use super::*;
use crate::api::Api;
use crate::config::{Copies, Fingerprints, KubernetesConfig, TargetConfig};
use crate::contents::HASTE;
use crate::copies::copy_of;
use crate::example::release;
use crate::names;
use crate::object::ObjectRef;
use crate::release::Mark;
use crate::snapshot::hash;

const FLAGS: &str = "/api/v1/namespaces/prod/configmaps/flags";

/// An API server with these objects, which keeps a read of the flags waiting as often as it is told to.
struct Server {
    objects: BTreeMap<String, Value>,
    hung: usize,
    /// The object of each patch, and after how many milliseconds it came.
    patched: Vec<(String, u128)>,
    start: Instant,
}

impl Server {
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> Option<Value> {
        if path == FLAGS && *method == Method::GET && self.hung > 0 {
            self.hung -= 1;
            return None;
        }
        if path.ends_with("/pods") || path.ends_with("/endpointslices") {
            let of_it = self.objects.range(format!("{path}/")..format!("{path}0"));
            return Some(json!({"kind": "List", "items": of_it.map(|(_, pod)| pod).collect::<Vec<_>>()}));
        }
        let refused = json!({"kind": "Status", "code": 404, "reason": "NotFound"});
        let Some(object) = self.objects.get_mut(path) else { return Some(refused) };
        if *method == Method::PATCH {
            let patch: Patch = serde_json::from_slice(body).unwrap();
            json_patch::patch(object, &patch).unwrap();
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            self.patched.push((name, self.start.elapsed().as_millis()));
        }
        Some(object.clone())
    }
}

fn deployment(app: &str, release: &Release, annotations: &[(&str, String)]) -> Value {
    let Artifact::Image(image) = &release.artifact else { unreachable!("it is one") };
    let mut deployment = json!({
        "metadata": {"name": app, "uid": "u", "annotations": {names::FENCE: r#"{"stamp":"1.0"}"#}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": app}},
            "template": {
                "metadata": {"labels": {"app": app}},
                "spec": {"containers": [
                    {"name": "web", "image": image.as_str(), "envFrom": [{"configMapRef": {"name": "flags"}}]},
                ]},
            },
        },
    });
    for (name, value) in annotations {
        deployment["metadata"]["annotations"][name] = value.as_str().into();
    }
    deployment
}

fn pod(app: &str) -> Value {
    json!({
        "metadata": {
            "name": format!("{app}-5d4-x"),
            "labels": {"pod-template-hash": "5d4"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("{app}-5d4"), "controller": true}],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// Takes release 2 back, which has the traffic, when the flags are not what they were and this many reads of them hang.
/// Returns what was patched and when, and what was said.
async fn undone(hung: usize, is_ready: bool) -> (Vec<(String, u128)>, String) {
    let (calm, loud) = (
        json!({"data": {"LEVEL": "calm"}}),
        json!({"metadata": {"uid": "u", "resourceVersion": "7"},
        "data": {"LEVEL": "loud"}}),
    );
    let (main, hotfix) = (
        deployment("shop", &release(1), &[(names::LIVE, "main".to_owned())]),
        deployment("shop-hotfix", &release(2), &[(names::RELEASE, Mark::text(&release(2)))]),
    );
    let flags = ObjectRef {
        api_version: "v1",
        kind: "ConfigMap",
        namespace: "prod".to_owned(),
        name: "flags".to_owned(),
    };
    let copy = copy_of(&flags, "shop", &hash(&calm));
    let template = main["spec"]["template"].clone();
    let fence = json!({names::FENCE: r#"{"stamp":"1.0"}"#});
    let mut objects = BTreeMap::from([
        ("/apis/apps/v1/namespaces/prod/deployments/shop".to_owned(), main),
        ("/apis/apps/v1/namespaces/prod/deployments/shop-hotfix".to_owned(), hotfix),
        (
            "/api/v1/namespaces/prod/services/shop".to_owned(),
            json!({"metadata": {"uid": "u", "annotations": fence}, "spec": {"selector": {"app": "shop-hotfix"}}}),
        ),
        (FLAGS.to_owned(), loud),
        (format!("/api/v1/namespaces/prod/configmaps/{}", copy.name), calm.clone()),
    ]);
    let ready = ["shop", "shop-hotfix"].into_iter().filter(|app| is_ready || *app != "shop");
    objects.extend(ready.map(|app| (format!("/api/v1/namespaces/prod/pods/{app}-5d4-x"), pod(app))));
    let server = Arc::new(Mutex::new(Server { objects, hung, patched: Vec::new(), start: Instant::now() }));
    let shared = Arc::clone(&server);
    let service = service_fn(move |request: Request<Body>| {
        let shared = Arc::clone(&shared);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await?;
            let answer = shared.lock().unwrap_or_else(PoisonError::into_inner).answer(
                &head.method,
                head.uri.path(),
                &body,
            );
            let Some(answer) = answer else { return future::pending().await };
            let code = answer["code"].as_u64().map_or(200, |_| 404);
            let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
            answer.map_err(kube::Error::HttpError)
        }
    });
    let target: Target = "production/shop".parse().unwrap();
    let shop = TargetConfig {
        namespace: "prod".to_owned(),
        deployment: "shop".to_owned(),
        fingerprints: Fingerprints::ConfigMaps,
        copies: Copies::ConfigMaps,
        ..TargetConfig::default()
    };
    let config = KubernetesConfig { targets: [(target.clone(), shop)].into(), ..KubernetesConfig::default() };
    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let deployer = KubernetesDeployer::by(Api::by(Client::new(service, "prod")), config, clock);
    let backend = json!({"format": 1, "template": template, "strategy": null, "selector": {"app": "shop"}, "weights": null,
        "hashes": {"ConfigMap/flags": hash(&calm)}});
    let (slot, replicas) = (SlotName::new("main").unwrap(), NonZeroU16::MIN);
    let verb = Verb::Restore { snapshot: WorkloadSnapshot { slot, release: release(1), replicas, backend } };
    let (key, stamp) = (IdempotencyKey::new("run:1").unwrap(), Stamp::new(1, 1));
    let call = Call { key, stamp, deadline: Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(60) };
    let reply = deployer.apply(&call, &target, &verb, &Precondition::default()).await;
    let Reply::Applied(receipt) = reply else { panic!("{reply:?}") };
    let patched = std::mem::take(&mut server.lock().unwrap_or_else(PoisonError::into_inner).patched);
    (patched, receipt.0)
}

#[tokio::test(start_paused = true)]
async fn the_traffic_does_not_wait_for_a_read_of_contents_that_hangs() {
    let (known, said) = undone(0, true).await;
    assert_eq!(known[0], ("shop".to_owned(), 0), "{known:?}");
    assert!(said.contains("ConfigMap prod/flags holds again what it held"), "{said}");
    assert!(!said.contains("not started anew"), "{said}");

    let (hung, said) = undone(1, true).await;
    assert_eq!(hung[0], ("shop".to_owned(), HASTE.as_millis()), "{hung:?}");
    let told = "ConfigMap prod/flags holds again what it held; pods that read it when they started were not started anew";
    assert!(said.contains(told), "{said}");
}

/// They might not serve with other contents than they had.
#[tokio::test(start_paused = true)]
async fn pods_that_start_anew_wait_for_what_they_read() {
    let (hung, _) = undone(1, false).await;
    assert_eq!(hung[0], ("shop".to_owned(), Duration::from_secs(1).as_millis()), "{hung:?}");
}
