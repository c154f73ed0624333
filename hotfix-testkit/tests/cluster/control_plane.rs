//! The control plane: ready, used, and gone.

use hotfix_testkit::cluster::{NodeOptions, TestCluster};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};

#[tokio::test]
async fn a_cluster_is_of_the_pinned_version_and_has_its_nodes() {
    let nodes = NodeOptions { count: 2, ..NodeOptions::default() };
    let cluster = tokio::spawn(TestCluster::start_with(nodes)).await.unwrap().unwrap();
    let client = cluster.client().unwrap();
    assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.36.3");
    let nodes = Api::<Node>::all(client).list(&ListParams::default()).await.unwrap();
    let nodes = nodes.items.into_iter().map(|node| (node.metadata.name.unwrap(), node.spec.unwrap().taints));
    assert_eq!(nodes.collect::<Vec<_>>(), [("node-1".to_owned(), None), ("node-2".to_owned(), None)]);
}

fn map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

/// A rule about resources of the core group.
fn rule(resource: &str, verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![String::new()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}

#[tokio::test]
async fn a_user_may_do_what_the_rules_say_and_the_log_says_who_did_it() {
    let cluster = TestCluster::shared().await.unwrap();
    let namespace = cluster.namespace("access").await.unwrap();
    let config = cluster.user(&namespace, "writer", &[rule("configmaps", &["create"])]).await.unwrap();
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
    let of_the_namespace = cluster.audit_log_of(&namespace).unwrap();
    let about_it: Vec<_> = of_the_namespace.iter().filter(|event| event.user == user).collect();
    assert_eq!(about_it, own);
    assert!(of_the_namespace.iter().all(|event| event.namespace.as_deref() == Some(namespace.name())));
}

#[tokio::test]
async fn rights_for_a_while_begin_and_end_at_the_server() {
    let cluster = TestCluster::shared().await.unwrap();
    let namespace = cluster.namespace("grant").await.unwrap();
    let config = cluster.user(&namespace, "writer", &[]).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(Client::try_from(config).unwrap());
    let rules = [
        rule("configmaps", &["create", "get"]),
        rule("pods/log", &["get"]),
        PolicyRule { resource_names: Some(vec!["web".to_owned()]), ..rule("services", &["patch"]) },
    ];
    let forbidden = async || match maps.get("any").await {
        Err(kube::Error::Api(status)) => status.code == 403,
        _ => false,
    };
    assert!(forbidden().await);
    let grant = cluster.grant(&namespace, "writer", "more", &rules).await.unwrap();
    maps.create(&PostParams::default(), &map("allowed")).await.unwrap();
    assert!(!forbidden().await, "it is not there");
    let twice = cluster.grant(&namespace, "writer", "more", &rules).await.unwrap_err().to_string();
    assert!(twice.contains("\"more\" already exists"), "{twice}");
    grant.revoke().await.unwrap();
    assert!(forbidden().await);
    cluster.grant(&namespace, "writer", "more", &rules).await.unwrap().revoke().await.unwrap();
}
