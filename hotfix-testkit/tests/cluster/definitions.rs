//! The kinds of Istio and of the Gateway API, on the real server.

use hotfix_testkit::cluster::TestCluster;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::json;

#[tokio::test]
async fn routes_of_both_kinds_can_be_made_and_wrong_ones_cannot() {
    let cluster = TestCluster::shared().await.unwrap();
    cluster.install_istio().await.unwrap();
    cluster.install_gateway_api().await.unwrap();
    cluster.install_istio().await.unwrap();
    let namespace = cluster.namespace("routes").await.unwrap();
    let client = cluster.client().unwrap();

    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("networking.istio.io", "v1", "VirtualService"));
    let services: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &kind);
    let route = json!([{"route": [{"destination": {"host": "shop"}, "weight": 100}]}]);
    let service = DynamicObject::new("shop", &kind).data(json!({"spec": {"hosts": ["shop"], "http": route}}));
    services.create(&PostParams::default(), &service).await.unwrap();
    let wrong = DynamicObject::new("wrong", &kind).data(json!({"spec": {"hosts": "shop"}}));
    let refused = services.create(&PostParams::default(), &wrong).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 422), "{refused}");

    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"));
    let routes: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &kind);
    let rules = json!([{"backendRefs": [{"name": "shop", "port": 80, "weight": 100}]}]);
    let route = DynamicObject::new("shop", &kind).data(json!({"spec": {"rules": rules}}));
    routes.create(&PostParams::default(), &route).await.unwrap();
}
