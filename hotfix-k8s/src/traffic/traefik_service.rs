//! Traffic by the weights of a TraefikService between two Services.
//!
//! Only its weighted round robin is understood, and of that the entries of both slots. Another TraefikService among them is
//! somebody else's, whatever its name. Traefik serves nobody from an entry with weight 0, and a session that was bound to
//! it by a cookie goes to another, so stickiness keeps no rollback from its end. It reports nothing, so a shift is taken to
//! be in force when it is written.

use hotfix_core::model::Weights;
use hotfix_core::port::TrafficSplit;
use json_patch::PatchOperation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::backend::{Backend, Means, Reached, RouteName, Site};
use super::cursor::{At, Misfit, of_the_generation_read};
use super::shares::{self, Found, Shares};
use super::{NotUnderstood, Route};
use crate::config::Named;
use crate::object::{Kind, ObjectRef};
use crate::slot::{Side, Slots};

const KIND: Kind =
    Kind { api_version: "traefik.io/v1alpha1", name: "TraefikService", plural: "traefikservices" };

/// The weights of a TraefikService, a weighted round robin, between the Service of the target and that of its copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraefikServiceTraffic {
    /// Its name; `None`: that of the Service.
    pub name: Option<String>,
    /// The Service of the copy; `None`: the name of the Service with `-hotfix`.
    pub hotfix: Option<String>,
}

impl Backend for TraefikServiceTraffic {
    fn route(&self) -> Option<RouteName<'_>> {
        let mend = "name a TraefikService of the namespace: lower-case letters, digits and inner dashes";
        let name = Named::object("traffic.traefik_service.name", self.name.as_deref(), mend);
        Some(RouteName { kind: KIND, name, suffix: "" })
    }

    fn reached(&self) -> Reached<'_> {
        Reached::Two(Named::service("traffic.traefik_service.hotfix", self.hotfix.as_deref()))
    }

    fn means(&self, site: &Site<'_>) -> Means {
        let reached = self.reached();
        Means::Route(Box::new(TraefikService {
            object: site.names.route.clone(),
            slots: site.slots.clone(),
            main: site.service_of(Side::Main, &reached),
            hotfix: site.service_of(Side::Hotfix, &reached),
        }))
    }
}

/// A TraefikService that splits the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TraefikService {
    object: ObjectRef,
    slots: Slots,
    /// The Service of the slot `main`, in the namespace of the object.
    main: String,
    /// The Service of the slot `hotfix`.
    hotfix: String,
}

impl Route for TraefikService {
    fn object(&self) -> ObjectRef {
        self.object.clone()
    }

    fn split(&self) -> TrafficSplit {
        TrafficSplit::Percent
    }

    fn read(&self, object: &Value) -> Result<Weights, NotUnderstood> {
        let weights = self.list(object).and_then(|list| shares::read(&[list], &self.slots));
        weights.map_err(|misfit| misfit.of(self.object()))
    }

    fn write(&self, object: &Value, weights: &Weights) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let changes = self.list(object).and_then(|list| shares::write(&[list], &self.slots, weights));
        changes
            .map(|changes| of_the_generation_read(object, changes))
            .map_err(|misfit| misfit.of(self.object()))
    }
}

impl TraefikService {
    fn list<'a>(&self, object: &'a Value) -> Result<Shares<'a>, Misfit> {
        let (main, hotfix) = (&self.main, &self.hotfix);
        let mend = format!("name the services {main} and {hotfix}, the second with weight 0");
        let spec = At::root(object).need("spec", &mend)?;
        let list = spec.need("weighted", &mend)?.need("services", &mend)?;
        // Traefik gives a service without a weight the weight 1.
        match shares::find(&list, |_| 1, |entry| self.side(entry))? {
            Found::Both(shares) => Ok(shares),
            Found::One(Side::Main) => Err(without(&list, main, hotfix)),
            Found::One(Side::Hotfix) => Err(without(&list, hotfix, main)),
            Found::Neither => Err(list
                .misfit(format!("has no services {main} and {hotfix}; add both, the second with weight 0"))),
        }
    }

    fn side(&self, entry: &At<'_>) -> Result<Option<Side>, Misfit> {
        let kind = entry.text("kind")?.unwrap_or("Service");
        let namespace = entry.text("namespace")?.unwrap_or(&self.object.namespace);
        if kind != "Service" || namespace != self.object.namespace {
            return Ok(None);
        }
        let name = entry.text("name")?;
        let main = (name == Some(&self.main)).then_some(Side::Main);
        Ok(main.or_else(|| (name == Some(&self.hotfix)).then_some(Side::Hotfix)))
    }
}

fn without(list: &At<'_>, has: &str, has_not: &str) -> Misfit {
    list.misfit(format!("sends traffic to {has} and has no service {has_not}; add it with weight 0"))
}

#[cfg(test)]
#[path = "traefik_service_tests.rs"]
mod tests;
