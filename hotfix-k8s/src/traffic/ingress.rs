//! Traffic by the canary annotations of the NGINX ingress controller.
//!
//! Beside the Ingress of the application stands a second one, the canary Ingress, whose backend is the Service of the
//! slot `hotfix`. Its annotation `canary-weight` is the one field that is written. A header or cookie of its own that
//! lets testers in is left alone beside a weight, and refused in its place. The controller reports nothing, so a
//! shift is taken to be in force when it is written.

use hotfix_core::model::Weights;
use hotfix_core::port::TrafficSplit;
use json_patch::PatchOperation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::backend::{Backend, Means, Reached, RouteName, Site};
use super::cursor::{At, Misfit, add, replace, test};
use super::shares::hotfix_percent;
use super::{NotUnderstood, Route};
use crate::config::Named;
use crate::object::{Kind, ObjectRef};
use crate::slot::{Side, Slots};

const PREFIX: &str = "nginx.ingress.kubernetes.io/";

const KIND: Kind = Kind { api_version: "networking.k8s.io/v1", name: "Ingress", plural: "ingresses" };

/// The annotation `canary-weight` of the canary Ingress of the NGINX ingress controller, beside the Ingress of the
/// application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngressTraffic {
    /// Its name; `None`: that of the Service with `-canary`.
    pub name: Option<String>,
    /// The Service of the copy, its only backend; `None`: the name of the Service with `-hotfix`.
    pub hotfix: Option<String>,
}

impl Backend for IngressTraffic {
    fn route(&self) -> Option<RouteName<'_>> {
        let mend = "name an Ingress of the namespace: lower-case letters, digits and inner dashes";
        let name = Named::object("traffic.ingress.name", self.name.as_deref(), mend);
        Some(RouteName { kind: KIND, name, suffix: "-canary" })
    }

    fn reached(&self) -> Reached<'_> {
        Reached::Two(Named::service("traffic.ingress.hotfix", self.hotfix.as_deref()))
    }

    fn means(&self, site: &Site<'_>) -> Means {
        let route = &site.names.route;
        Means::Route(Box::new(CanaryIngress {
            namespace: route.namespace.clone(),
            name: route.name.clone(),
            slots: site.slots.clone(),
            hotfix: site.service_of(Side::Hotfix, &self.reached()),
        }))
    }
}

/// The canary Ingress of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CanaryIngress {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) slots: Slots,
    /// The Service of the slot `hotfix`, which must be its only backend.
    pub(crate) hotfix: String,
}

impl Route for CanaryIngress {
    fn object(&self) -> ObjectRef {
        KIND.object(&self.namespace, &self.name)
    }

    fn split(&self) -> TrafficSplit {
        TrafficSplit::Percent
    }

    fn read(&self, object: &Value) -> Result<Weights, NotUnderstood> {
        let weights = self.canary(object).and_then(|canary| canary.weights(&self.slots));
        weights.map_err(|misfit| misfit.of(self.object()))
    }

    fn write(&self, object: &Value, weights: &Weights) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let percent = hotfix_percent(&self.slots, weights);
        let changes = percent.and_then(|percent| Ok(self.canary(object)?.write(percent)));
        changes.map_err(|misfit| misfit.of(self.object()))
    }
}

/// The annotations that make an Ingress a canary.
#[derive(Debug)]
struct Canary<'a> {
    annotations: At<'a>,
    /// `canary-weight` as it is written.
    weight: Option<(&'a str, u64)>,
    /// What the weight is measured by; a multiple of 100.
    total: u64,
}

impl CanaryIngress {
    fn canary<'a>(&self, object: &'a Value) -> Result<Canary<'a>, Misfit> {
        let metadata = At::root(object).need("metadata", "read the whole Ingress")?;
        let mend = format!("annotate the canary Ingress with {PREFIX}canary: \"true\"");
        let annotations = metadata.need("annotations", &mend)?;
        let canary = annotations.need(&key("canary"), &mend)?;
        if canary.value() != "true" {
            return Err(canary.misfit(format!("{} is not \"true\"; {mend}", canary.shown())));
        }
        self.has_one_backend(&At::root(object).need("spec", "give the Ingress rules")?)?;
        lets_everybody_go(&annotations)?;
        let total = number(&annotations, "canary-weight-total")?.map_or(100, |(_, total)| total);
        if total == 0 || !total.is_multiple_of(100) {
            let at = annotations.need(&key("canary-weight-total"), "")?;
            return Err(at.misfit(format!(
                "{} is no multiple of 100, so not every percentage is a weight",
                at.shown()
            )));
        }
        let weight = number(&annotations, "canary-weight")?;
        if weight.is_none() {
            not_by_other_means(&annotations)?;
        }
        Ok(Canary { annotations, weight, total })
    }

    fn has_one_backend(&self, spec: &At<'_>) -> Result<(), Misfit> {
        if let Some(default) = spec.field("defaultBackend")? {
            self.is_ours(&default)?;
        }
        for rule in spec.list("rules")? {
            let Some(http) = rule.field("http")? else {
                continue;
            };
            for path in http.list("paths")? {
                self.is_ours(&path.need("backend", "name a backend")?)?;
            }
        }
        Ok(())
    }

    fn is_ours(&self, backend: &At<'_>) -> Result<(), Misfit> {
        let ours = &self.hotfix;
        let service =
            backend.need("service", &format!("the backend of a canary Ingress is the Service {ours}"))?;
        match service.text("name")? {
            Some(name) if name == ours => Ok(()),
            name => Err(service.misfit(format!(
                "the backend is {}, not {ours}; give it an Ingress of its own",
                name.unwrap_or("nothing")
            ))),
        }
    }
}

impl Canary<'_> {
    /// The weight that counts: the controller takes none for 0.
    fn counts(&self) -> u64 {
        self.weight.map_or(0, |(_, weight)| weight)
    }

    fn weights(&self, slots: &Slots) -> Result<Weights, Misfit> {
        let (written, weight) = (self.weight.map_or("", |(written, _)| written), self.counts());
        let unit = self.total / 100;
        let percent = u8::try_from(weight / unit).ok().filter(|_| weight.is_multiple_of(unit));
        let weights = percent.map(|hotfix| Weights::split(slots.main.clone(), slots.hotfix.clone(), hotfix));
        weights.and_then(Result::ok).ok_or_else(|| Misfit {
            path: self.annotations.pointer_to(&key("canary-weight")).to_string(),
            reason: format!(
                "{written:?} of {} is no whole percentage; write a multiple of {unit}",
                self.total
            ),
        })
    }

    fn write(&self, percent: u8) -> Vec<PatchOperation> {
        let path = self.annotations.pointer_to(&key("canary-weight"));
        let weight = u64::from(percent) * (self.total / 100);
        match self.weight {
            Some((written, _)) if self.counts() != weight => {
                vec![test(path.clone(), written), replace(path, weight.to_string())]
            }
            // Nothing can be tested where nothing is, but all that is beside it can.
            None if self.counts() != weight => {
                let beside = test(self.annotations.pointer().clone(), self.annotations.value().clone());
                vec![beside, add(path, weight.to_string())]
            }
            _ => Vec::new(),
        }
    }
}

/// A session that sticks to the canary would stay there at weight 0.
fn lets_everybody_go(annotations: &At<'_>) -> Result<(), Misfit> {
    if annotations.text(&key("affinity"))?.is_none() {
        return Ok(());
    }
    match annotations.text(&key("affinity-canary-behavior"))? {
        Some("legacy") => Ok(()),
        _ => Err(annotations.need(&key("affinity"), "")?.misfit(format!(
            "sessions would stay with the canary at weight 0; annotate it with {PREFIX}affinity-canary-behavior: \
             \"legacy\""
        ))),
    }
}

fn not_by_other_means(annotations: &At<'_>) -> Result<(), Misfit> {
    for name in ["canary-by-header", "canary-by-cookie"] {
        if let Some(means) = annotations.field(&key(name))? {
            return Err(means.misfit(format!(
                "the canary goes by {} alone, which splits nothing; add {PREFIX}canary-weight: \"0\"",
                &name["canary-by-".len()..]
            )));
        }
    }
    Ok(())
}

fn number<'a>(annotations: &At<'a>, name: &str) -> Result<Option<(&'a str, u64)>, Misfit> {
    let Some(text) = annotations.text(&key(name))? else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) => Ok(Some((text, number))),
        Err(_) => Err(annotations.need(&key(name), "")?.misfit(format!("{text:?} is not a whole number"))),
    }
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

#[cfg(test)]
#[path = "ingress_tests.rs"]
mod tests;
