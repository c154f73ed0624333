//! Slots that are two subsets of one Service: what they take, and what is refused before anything is made.

use hotfix_core::ErrorKind;
use hotfix_core::port::Deployer;
use hotfix_k8s::{Destinations, Traffic, VirtualServiceTraffic};
use hotfix_testkit::cluster::TestCluster;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::TypeMeta;
use serde_json::{Value, json};

use super::site::{Kind, Shop, deployment};

pub(crate) fn traffic() -> Traffic {
    let (main, hotfix) = ("stable".to_owned(), "fix".to_owned());
    let destinations = Destinations::Subsets { main, hotfix, rule: None };
    Traffic::VirtualService(VirtualServiceTraffic { destinations, ..VirtualServiceTraffic::default() })
}

/// A DestinationRule with both subsets, and a VirtualService that sends all requests to one of them.
pub(crate) fn routes() -> Vec<Value> {
    let rule = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "shop"},
        "spec": {"host": "shop", "subsets": [
            {"name": "stable", "labels": {"track": "main"}},
            {"name": "fix", "labels": {"track": "main-hotfix"}},
        ]},
    });
    let to = |subset: &str, weight: u8| json!({"destination": {"host": "shop", "subset": subset}, "weight": weight});
    let route = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "shop"},
        "spec": {"hosts": ["shop"], "http": [{"route": [to("stable", 100), to("fix", 0)]}]},
    });
    vec![rule, route]
}

/// A Deployment that selects its pods by one label more than its Service does.
pub(crate) fn labelled(mut deployment: Value) -> Value {
    for labels in ["/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
        deployment.pointer_mut(labels).expect("labels")["track"] = json!("main");
    }
    deployment
}

/// A rule whose subsets are not the slots, and none at all, are refused with the place; so they are when a target is
/// observed later on.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_whose_subsets_are_not_the_slots_is_refused() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    cluster.install_istio().await.expect("kinds of Istio");
    let shop = Shop::closed(cluster, traffic(), &labelled(deployment(cluster, 1)), &routes()).await;
    let types = TypeMeta { api_version: "networking.istio.io/v1".into(), kind: "DestinationRule".into() };
    let rules = shop.api_of(&types);
    let label = async |value: &str| {
        let patch = json!([{"op": "replace", "path": "/spec/subsets/1/labels/track", "value": value}]);
        let patch: Patch<()> = Patch::Json(serde_json::from_value(patch).expect("a patch"));
        rules.patch("shop", &PatchParams::default(), &patch).await.expect("patched");
    };
    label("fix").await;
    let place = format!("DestinationRule {}/shop at /spec/subsets/1/labels/track: ", &*shop.namespace);
    let said = format!("{place}the pods of its slot have track: main-hotfix; give the subset that label");
    let refused = shop.adopt().await.expect_err("refused").to_string();
    assert_eq!(refused, format!("production/shop cannot be adopted: {said}"));
    assert!(shop.api(Kind::Deployment).get_opt("shop-hotfix").await.expect("read").is_none());

    label("main-hotfix").await;
    shop.adopt().await.expect("adopted");
    let copy = shop.read(Kind::Deployment, "shop-hotfix").await["spec"].clone();
    assert_eq!(copy["selector"]["matchLabels"], json!({"app": "shop", "track": "main-hotfix"}));
    shop.deployer.observe(&shop.target).await.expect("a workload");

    label("fix").await;
    let error = shop.deployer.observe(&shop.target).await.expect_err("refused");
    assert!(error.to_string().contains(&said), "{error}");
    rules.delete("shop", &DeleteParams::default()).await.expect("deleted");
    let error = shop.deployer.observe(&shop.target).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
