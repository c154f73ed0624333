//! The objects of a target, read as an administrator reads them.

use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::way::{Kind, Way};

/// Reads what a target is made of in a namespace.
#[derive(Debug)]
pub(super) struct Objects {
    main: Api<DynamicObject>,
    deployments: Api<DynamicObject>,
    routes: Api<DynamicObject>,
}

impl Objects {
    pub(super) fn of(client: &Client, namespace: &str, way: &Way) -> Self {
        let api = |kind: Kind| kind.api(client, namespace);
        Self { main: api(way.main()), deployments: api(Kind::DEPLOYMENT), routes: api(way.route) }
    }

    /// Reads all three at once: `main`, `copy` (null while there is none) and `route`.
    pub(super) async fn read(&self) -> Result<Value, String> {
        let (main, copy, route) = tokio::try_join!(
            self.main.get("shop"),
            self.deployments.get_opt("shop-hotfix"),
            self.routes.get("shop"),
        )
        .map_err(|error| format!("the objects cannot be read: {error}"))?;
        Ok(json!({"main": main, "copy": copy, "route": route}))
    }
}
