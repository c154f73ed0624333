//! The objects of a target, read as an administrator reads them.

use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::world::Way;

/// Reads the two Deployments and the route of a namespace.
#[derive(Debug)]
pub(super) struct Objects {
    deployments: Api<DynamicObject>,
    routes: Api<DynamicObject>,
}

impl Objects {
    pub(super) fn of(client: &Client, namespace: &str, way: Way) -> Self {
        let api = |(group, version, kind): (&str, &str, &str)| {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            Api::namespaced_with(client.clone(), namespace, &resource)
        };
        Self { deployments: api(("apps", "v1", "Deployment")), routes: api(way.route_kind()) }
    }

    /// Reads all three at once: `main`, `copy` (null while there is none) and `route`.
    pub(super) async fn read(&self) -> Result<Value, String> {
        let (main, copy, route) = tokio::try_join!(
            self.deployments.get("shop"),
            self.deployments.get_opt("shop-hotfix"),
            self.routes.get("shop"),
        )
        .map_err(|error| format!("the objects cannot be read: {error}"))?;
        Ok(json!({"main": main, "copy": copy, "route": route}))
    }
}
