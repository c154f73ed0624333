//! The nodes: pods run, fail in every way that a kubelet knows, and end.

use std::collections::BTreeSet;

use hotfix_core::model::Period;
use hotfix_testkit::cluster::{Behaviour, DemoPod, End, Pull, Readiness};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::shop::{Shop, condition, deployment, seen, with};

#[tokio::test]
async fn a_deployment_becomes_available_and_its_pods_answer() {
    let shop = Shop::open().await;
    let image = shop.cluster.image("demo/shop:1.4.2", &Behaviour::default()).unwrap();
    shop.create(deployment("shop", 2, image.as_str())).await;
    let service = json!({"metadata": {"name": "shop"}, "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": "http"}]}});
    let services: Api<Service> = Api::namespaced(shop.client.clone(), &shop.namespace);
    services.create(&PostParams::default(), &serde_json::from_value(service).unwrap()).await.unwrap();

    let deployments: Api<Deployment> = Api::namespaced(shop.client.clone(), &shop.namespace);
    let available =
        |deployment: &Deployment| deployment.status.as_ref()?.available_replicas.filter(|n| *n == 2);
    seen(deployments, "the Deployment is available", available).await;
    let pods = shop.pods().list(&ListParams::default()).await.unwrap().items;
    let mut shown = BTreeSet::new();
    for pod in &pods {
        let identity = DemoPod::of(pod).unwrap().identity().await.unwrap();
        assert_eq!(Some(&identity.pod), pod.metadata.name.as_ref());
        assert_eq!(
            (identity.namespace.as_str(), identity.version.as_str()),
            (shop.namespace.name(), "1.4.2")
        );
        let status = pod.status.as_ref().unwrap();
        let container = &status.container_statuses.as_ref().unwrap()[0];
        assert_eq!((status.phase.as_deref(), container.restart_count), (Some("Running"), 0));
        assert_eq!(container.image_id, image.as_str());
        for kind in ["PodScheduled", "Initialized", "ContainersReady", "Ready"] {
            assert_eq!(condition(pod, kind), Some(("True".to_owned(), None)), "{kind}");
        }
        shown.insert(status.pod_ip.clone().unwrap());
    }
    assert_eq!(shown.len(), 2);

    let slices: Api<EndpointSlice> = Api::namespaced(shop.client.clone(), &shop.namespace);
    seen(slices, "both pods are endpoints", |slice| {
        let ready = slice.endpoints.iter().flatten().filter(|endpoint| {
            endpoint.conditions.as_ref().is_some_and(|conditions| conditions.ready == Some(true))
        });
        let addresses: BTreeSet<String> = ready.flat_map(|endpoint| endpoint.addresses.clone()).collect();
        (addresses == shown).then_some(())
    })
    .await;
}

fn waiting(container: &ContainerStatus, reason: &str) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    (waiting.reason.as_deref() == Some(reason)).then(|| waiting.message.clone().unwrap_or_default())
}

#[tokio::test]
async fn a_crash_is_restarted_at_once_and_then_backs_off() {
    let shop = Shop::open().await;
    let end = End::Crash(Period::from_millis(10));
    shop.deploy(&Behaviour { end, ..Behaviour::default() }).await;
    let backed_off = |container: &ContainerStatus| {
        let message = waiting(container, "CrashLoopBackOff")?;
        let last = container.last_state.clone()?.terminated?;
        Some((message, container.restart_count, last.exit_code, last.reason))
    };
    let (message, restarts, code, reason) = shop.container("it backs off", backed_off).await;
    assert_eq!((code, reason.as_deref()), (1, Some("Error")));
    // Whoever looks late sees a later wait; the first start again is at once, so that the second is the first to wait.
    let seconds = 1 << (restarts - 1);
    let expected = format!("back-off {seconds}s restarting failed container=shop pod=shop-");
    assert!(message.starts_with(&expected), "after {restarts} restarts: {message}");
    let pod = shop.pods().list(&ListParams::default()).await.unwrap().items.remove(0);
    assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Running"));
    let again = |container: &ContainerStatus| {
        backed_off(container).filter(|(_, later, ..)| *later == restarts + 1).map(|(message, ..)| message)
    };
    let message = shop.container("it backs off again", again).await;
    assert!(message.starts_with(&format!("back-off {}s", seconds * 2)), "{message}");
}

#[tokio::test]
async fn a_service_crashes_when_it_is_told_to() {
    let shop = Shop::open().await;
    shop.deploy(&Behaviour::default()).await;
    let ready = |pod: &k8s_openapi::api::core::v1::Pod| {
        condition(pod, "Ready").filter(|(status, _)| status == "True").and_then(|_| DemoPod::of(pod))
    };
    shop.pod("it is ready", ready).await.crash().await;
    let crashed = |container: &ContainerStatus| container.last_state.clone()?.terminated;
    let ended = shop.container("it crashed", crashed).await;
    assert_eq!((ended.reason.as_deref(), ended.exit_code), (Some("Error"), 1));
}

#[tokio::test]
async fn a_kill_for_memory_is_told_apart_from_a_crash() {
    let shop = Shop::open().await;
    let end = End::OutOfMemory(Period::from_millis(10));
    shop.deploy(&Behaviour { end, ..Behaviour::default() }).await;
    let killed = |container: &ContainerStatus| container.last_state.clone()?.terminated;
    let ended = shop.container("it is killed", killed).await;
    assert_eq!((ended.reason.as_deref(), ended.exit_code), (Some("OOMKilled"), 137));
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_tried_again() {
    let shop = Shop::open().await;
    let pull = Pull::Fails("unauthorized".to_owned());
    shop.deploy(&Behaviour { pull, ..Behaviour::default() }).await;
    let message = shop.container("the pull fails", |container| waiting(container, "ErrImagePull")).await;
    assert!(message.ends_with("unauthorized"), "{message}");
    let message = shop.container("it backs off", |container| waiting(container, "ImagePullBackOff")).await;
    assert!(message.starts_with("Back-off pulling image \"demo/shop@sha256:"), "{message}");
    let pod = shop.pods().list(&ListParams::default()).await.unwrap().items.remove(0);
    assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Pending"));
}

#[tokio::test]
async fn a_container_waits_for_the_configuration_that_it_names() {
    let shop = Shop::open().await;
    let image = shop.cluster.image("demo/shop:1.4.2", &Behaviour::default()).unwrap();
    let env =
        json!([{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "colours", "key": "door"}}}]);
    let containers = json!({"containers": [{"name": "shop", "image": image.as_str(), "env": env}]});
    shop.create(with("shop", 1, image.as_str(), &containers)).await;
    let refused = |container: &ContainerStatus| waiting(container, "CreateContainerConfigError");
    let message = shop.container("the configuration is missed", refused).await;
    assert_eq!(message, "configmap \"colours\" not found");
    let maps: Api<k8s_openapi::api::core::v1::ConfigMap> =
        Api::namespaced(shop.client.clone(), &shop.namespace);
    let map = json!({"metadata": {"name": "colours"}, "data": {"door": "red"}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    shop.container("it runs", |container| container.ready.then_some(())).await;
}

#[tokio::test]
async fn a_pod_is_not_ready_before_its_service_and_its_gates_are() {
    let shop = Shop::open().await;
    let never = Behaviour { readiness: Readiness::Never, ..Behaviour::default() };
    let image = shop.cluster.image("demo/shop:1.4.2", &never).unwrap();
    let gates = json!({"readinessGates": [{"conditionType": "example.com/warm"}]});
    shop.create(with("shop", 1, image.as_str(), &gates)).await;
    let unready = |reason: &'static str| {
        move |pod: &k8s_openapi::api::core::v1::Pod| {
            let running =
                pod.status.as_ref()?.container_statuses.as_ref()?[0].state.as_ref()?.running.is_some();
            let wanted = Some(("False".to_owned(), Some(reason.to_owned())));
            (running && condition(pod, "Ready") == wanted).then(|| pod.clone())
        }
    };
    let pod = shop.pod("the service is not ready", unready("ContainersNotReady")).await;
    DemoPod::of(&pod).unwrap().behave(&Behaviour::default()).await.unwrap();
    let pod = shop.pod("the gate is not met", unready("ReadinessGatesNotReady")).await;
    assert_eq!(condition(&pod, "ContainersReady"), Some(("True".to_owned(), None)));

    let warm = json!({"status": {"conditions": [{"type": "example.com/warm", "status": "True"}]}});
    let name = pod.metadata.name.unwrap();
    let patched = shop.pods().patch_status(&name, &PatchParams::default(), &Patch::Strategic(warm)).await;
    patched.unwrap();
    let ready = |pod: &k8s_openapi::api::core::v1::Pod| {
        condition(pod, "Ready").filter(|(status, _)| status == "True")
    };
    assert_eq!(shop.pod("it is ready", ready).await, ("True".to_owned(), None));
}

#[tokio::test]
async fn a_pod_that_fits_no_node_says_so() {
    let shop = Shop::open().await;
    let image = shop.cluster.image("demo/shop:1.4.2", &Behaviour::default()).unwrap();
    let nowhere = json!({"nodeSelector": {"disk": "huge"}});
    shop.create(with("shop", 1, image.as_str(), &nowhere)).await;
    let told = shop.pod("it cannot be placed", |pod| condition(pod, "PodScheduled")).await;
    assert_eq!(told, ("False".to_owned(), Some("Unschedulable".to_owned())));
}

#[tokio::test]
async fn a_pod_that_is_deleted_answers_until_it_is_quiet_and_goes_within_its_time() {
    let shop = Shop::open().await;
    shop.deploy(&Behaviour::default()).await;
    let ready = |pod: &k8s_openapi::api::core::v1::Pod| {
        condition(pod, "Ready").filter(|(status, _)| status == "True").map(|_| pod.clone())
    };
    let pod = shop.pod("it is ready", ready).await;
    let (name, uid) = (pod.metadata.name.clone().unwrap(), pod.metadata.uid.clone().unwrap());
    let demo = DemoPod::of(&pod).unwrap();
    shop.pods().delete(&name, &DeleteParams::default()).await.unwrap();
    let not_ready = |pod: &k8s_openapi::api::core::v1::Pod| {
        let leaving = pod.metadata.uid.as_ref() == Some(&uid) && pod.metadata.deletion_timestamp.is_some();
        condition(pod, "Ready").filter(|(status, _)| leaving && status == "False")
    };
    shop.pod("it is not ready any more", not_ready).await;
    let identity = demo.identity().await.expect("it answers those who do not know yet");
    assert_eq!(identity.pod, name);
    let gone = kube::runtime::wait::conditions::is_deleted(&uid);
    let gone = kube::runtime::wait::await_condition(shop.pods(), &name, gone);
    tokio::time::timeout(std::time::Duration::from_secs(8), gone).await.expect("it is gone in time").unwrap();
    assert!(demo.identity().await.is_err());
}

#[tokio::test]
async fn a_service_counts_its_answers_and_changes_while_it_runs() {
    let shop = Shop::open().await;
    shop.deploy(&Behaviour { error_percent: 50, ..Behaviour::default() }).await;
    let ready = |pod: &k8s_openapi::api::core::v1::Pod| {
        condition(pod, "Ready").filter(|(status, _)| status == "True").and_then(|_| DemoPod::of(pod))
    };
    let demo = shop.pod("it is ready", ready).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(demo.get("/checkout").await.unwrap().0);
    }
    assert_eq!(answers, [200, 500, 200, 500]);
    demo.behave(&Behaviour::default()).await.unwrap();
    assert_eq!(demo.get("/checkout").await.unwrap().0, 200);
    let (_, page) = demo.get("/metrics").await.unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(page.contains("http_requests_total{code=\"200\"} 3\n"), "{page}");
    assert!(page.contains("http_requests_total{code=\"500\"} 2\n"), "{page}");
}
