//! The control plane: ready, used, and gone.

use std::time::{Duration, Instant};

use hotfix_testkit::cluster::TestCluster;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the time that a start takes is what is tested")]
async fn a_cluster_is_ready_within_five_seconds() {
    let started = Instant::now();
    let cluster = TestCluster::start().await.unwrap();
    let took = started.elapsed();
    println!("ready after {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let version = cluster.client().unwrap().apiserver_version().await.unwrap();
    assert_eq!(version.git_version, "v1.36.3");
}

fn map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

#[tokio::test]
async fn a_user_may_do_what_the_rules_say_and_the_log_says_who_did_it() {
    let cluster = TestCluster::shared().await.unwrap();
    let namespace = cluster.namespace("access").await.unwrap();
    let rule = PolicyRule {
        api_groups: Some(vec![String::new()]),
        resources: Some(vec!["configmaps".to_owned()]),
        verbs: vec!["create".to_owned()],
        ..PolicyRule::default()
    };
    let config = cluster.user(&namespace, "writer", &[rule]).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(Client::try_from(config).unwrap());
    maps.create(&PostParams::default(), &map("allowed")).await.unwrap();
    let refused = maps.get("allowed").await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");

    let user = format!("system:serviceaccount:{namespace}:writer");
    let log = cluster.audit_log().unwrap();
    let own: Vec<_> = log.iter().filter(|event| event.user == user).collect();
    let seen: Vec<_> = own.iter().map(|event| (event.verb.as_str(), event.status)).collect();
    assert_eq!(seen, [("create", 201), ("get", 403)]);
    assert_eq!(own[0].request.as_ref().unwrap()["metadata"]["name"], "allowed");
}
