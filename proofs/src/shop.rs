//! A shop in a namespace of a cluster: what its team wrote down, and what runs in its pods.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use hotfix_benches::Failure;
use hotfix_core::model::{Artifact, ImageReference, Release, TagName, Version};
use hotfix_k8s::TargetConfig;
use hotfix_k8s::rights::{self, Feature};
use hotfix_testkit::cluster::{Behaviour, Grant, TestCluster};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

/// Creates an object of the kind that it says.
pub(crate) async fn create(client: &Client, namespace: &str, object: Value) -> Result<(), Failure> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let kind = object.types.as_ref().ok_or_else(|| Failure::new("an object without a kind"))?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(kind)?);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}

pub(crate) fn deployment(name: &str, image: &ImageReference, replicas: NonZeroU16) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, image),
        },
    })
}

/// What the pods of a workload are.
pub(crate) fn template(name: &str, image: &ImageReference) -> Value {
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": [{
            "name": "web",
            "image": image.as_str(),
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {
                "httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1,
            },
        }]},
    })
}

/// A Service of that name, whose pods have the name as their label `app`.
pub(crate) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
}

/// The least rights for some targets of a namespace.
pub(crate) fn rules(targets: &[TargetConfig]) -> Result<Vec<PolicyRule>, Failure> {
    rules_with(targets, None)
}

/// The same, and those to claim them by Leases.
pub(crate) fn rules_with(
    targets: &[TargetConfig],
    leases: Option<Feature>,
) -> Result<Vec<PolicyRule>, Failure> {
    let mut features: BTreeSet<Feature> = targets.iter().flat_map(TargetConfig::features).collect();
    features.extend(leases);
    rules_of(&features)
}

/// Lets a user adopt targets of a namespace until that is revoked.
pub(crate) async fn may_adopt(cluster: &TestCluster, namespace: &str, user: &str) -> Result<Grant, Failure> {
    let rules = rules_of(&[Feature::Adoption].into())?;
    Ok(cluster.grant(namespace, user, "adoption", &rules).await?)
}

fn rules_of(features: &BTreeSet<Feature>) -> Result<Vec<PolicyRule>, Failure> {
    Ok(serde_json::from_value(serde_json::to_value(rights::rules(features))?)?)
}

/// Pushes the image of a release by the patch number of its version.
pub(crate) fn release(cluster: &TestCluster, patch: u8, behaviour: &Behaviour) -> Result<Release, Failure> {
    let tagged = format!("shop/web:2.1.{patch}");
    let reference = format!("{tagged}@{}", cluster.image(&tagged, behaviour)?.digest());
    Ok(Release {
        version: Version::new(2, 1, patch.into()),
        tag: TagName::new(format!("v2.1.{patch}"))?,
        artifact: Artifact::Image(ImageReference::new(&reference)?),
    })
}

pub(crate) fn image(release: &Release) -> Result<&ImageReference, Failure> {
    match &release.artifact {
        Artifact::Image(image) => Ok(image),
        other => Err(Failure::new(format!("{other:?} is no image"))),
    }
}
