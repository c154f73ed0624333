//! The shop as its team wrote it down: a Deployment and a Service, before anybody heard of hotfixes.

use hotfix::model::{ImageReference, SlotName};
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use hotfix_examples::Failure;

/// Creates an object of any kind.
pub(crate) async fn create(client: &Client, namespace: &str, object: Value) -> Result<(), Failure> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let types = object.types.clone().ok_or("an object without a kind")?;
    let kind = GroupVersionKind::try_from(&types)?;
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind));
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}

/// Returns the Deployment that is a slot.
pub(crate) fn deployment_of(slot: &SlotName) -> &'static str {
    if slot.as_str() == "main" { "shop" } else { "shop-hotfix" }
}

pub(crate) fn deployment(image: &ImageReference, replicas: u16) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "labels": {"app": "shop", "app.kubernetes.io/version": "2.1.0"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop", "team": "checkout"}},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [{
                    "name": "web",
                    "image": image.as_str(),
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {
                        "httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1,
                    },
                }]},
            },
        },
    })
}

pub(crate) fn service(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    })
}
