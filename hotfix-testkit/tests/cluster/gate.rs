//! The gate that decides which pods are ready, and the images of a cluster that was not started here.

use std::io::ErrorKind;

use hotfix_testkit::cluster::{ReadinessGate, TestCluster};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::Value;

use super::shop::{Shop, condition, deployment};

fn is_ready(pod: &Pod) -> Option<bool> {
    condition(pod, "ContainersReady").filter(|(status, _)| status == "True")?;
    Some(condition(pod, "Ready")?.0 == "True")
}

#[tokio::test]
async fn a_gate_lets_pods_be_ready_and_takes_that_away_again() {
    let shop = Shop::open().await;
    let images = shop.cluster.suite_images().unwrap();
    let shut_out = images.never_ready.clone();
    let gate = ReadinessGate::start(shop.client.clone(), move |pod| {
        pod.spec.as_ref().unwrap().containers[0].image.as_deref() != Some(shut_out.as_str())
    });
    for (name, image) in [("good", &images.live), ("bad", &images.never_ready)] {
        let mut deployment: Value = serde_json::to_value(deployment(name, 1, image.as_str())).unwrap();
        gate.put_in(&mut deployment["spec"]["template"]);
        shop.create(serde_json::from_value(deployment).unwrap()).await;
    }
    let good = |pod: &Pod| pod.labels()["app"] == "good";
    shop.pod("it was let", |pod| (good(pod) && is_ready(pod)?).then_some(())).await;
    let why = shop.pod("its containers are ready", |pod| {
        (!good(pod) && !is_ready(pod)?).then(|| condition(pod, "Ready").unwrap().1)
    });
    assert_eq!(why.await.as_deref(), Some("ReadinessGatesNotReady"));

    let pods = shop.pods().list(&ListParams::default().labels("app=good")).await.unwrap().items;
    gate.close(&pods).await.unwrap();
    shop.pod("it is ready no more", |pod| (good(pod) && !is_ready(pod)?).then_some(())).await;
}

#[tokio::test]
async fn images_of_somebody_elses_cluster_have_to_be_named() {
    let cluster = TestCluster::shared().await.unwrap();
    let theirs = TestCluster::existing(cluster.kubeconfig()).await.unwrap();
    assert_eq!((cluster.is_own(), theirs.is_own()), (true, false));
    let unnamed = theirs.suite_images().unwrap_err();
    assert_eq!(unnamed.kind(), ErrorKind::NotFound);
    assert!(unnamed.to_string().contains("set HOTFIX_TEST_IMAGES to a file such as"), "{unnamed}");
}
