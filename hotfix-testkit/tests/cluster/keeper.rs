//! A cluster ends with its owner, even when that is killed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hotfix_testkit::cluster::{DemoPod, TestCluster};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::shop::{condition, deployment, seen};

const PATIENCE: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "the owner is a process, so that it can be killed")]
fn owner() -> Child {
    let mut command = Command::from(std::process::Command::new(env!("CARGO_BIN_EXE_hotfix-test-cluster")));
    command.arg("run").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
}

#[tokio::test]
async fn nothing_is_left_of_a_cluster_whose_owner_was_killed() {
    let mut owner = owner();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let kubeconfig = loop {
        let line = lines.next_line().await.unwrap().expect("the owner says where its cluster is");
        if let Some(path) = line.strip_prefix("export KUBECONFIG=") {
            break path.to_owned();
        }
    };
    let cluster = TestCluster::existing(Path::new(&kubeconfig)).await.unwrap();
    let client = cluster.client().unwrap();
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "default");
    deployments.create(&PostParams::default(), &deployment("shop", 1, "demo/shop:1.0.0")).await.unwrap();
    let demo = seen(Api::<Pod>::namespaced(client.clone(), "default"), "the pod is ready", |pod| {
        condition(pod, "Ready").filter(|(status, _)| status == "True").and_then(|_| DemoPod::of(pod))
    })
    .await;
    assert_eq!(demo.identity().await.unwrap().version, "1.0.0");

    owner.kill().await.unwrap();
    let gone = async {
        loop {
            let answers = client.apiserver_version().await.is_ok() || demo.identity().await.is_ok();
            if !answers && !Path::new(&kubeconfig).exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("everything is gone");
}
