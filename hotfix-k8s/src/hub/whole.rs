//! An object as a watch brings it. kube's own dynamic object is read twice over, because it does not know the fields of any
//! kind.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::Deserialize;
use serde_json::{Value, json};

/// The fields that every kind has which is watched.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Whole {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

impl Whole {
    /// The object as a read brings it, but for who wrote which of its fields.
    pub(super) fn into_value(self) -> Value {
        let metadata = ObjectMeta { managed_fields: None, ..self.metadata };
        json!({"metadata": metadata, "spec": self.spec, "status": self.status})
    }
}

impl Resource for Whole {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        kind.group.as_str().into()
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        kind.version.as_str().into()
    }

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        kind.kind.as_str().into()
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        kind.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_as_a_read_brings_it() {
        let read = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "shop-1", "resourceVersion": "7", "generation": 2, "labels": {"app": "shop"},
                "annotations": {"hotfix.dev/live": "main"}, "creationTimestamp": "2026-01-01T00:00:00Z",
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop", "uid": "1",
                    "controller": true}],
            },
            "spec": {"nodeName": "a"},
            "status": {"phase": "Running"},
        });
        let mut sent = read.clone();
        sent["metadata"]["managedFields"] = json!([{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]);
        let whole: Whole = serde_json::from_value(sent).unwrap();
        let value = whole.into_value();
        for field in ["metadata", "spec", "status"] {
            assert_eq!(value[field], read[field], "{field}");
        }
    }
}
