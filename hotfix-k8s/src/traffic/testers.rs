//! Routes of a VirtualService by which testers reach a staged release: a request with a header goes to one slot
//! whatever the weights say.
//!
//! Before each route that is ours to write stands a copy of it, so that testers meet the same matches, rewrites,
//! timeouts and policies; it asks for the header too, and its only destination is the slot's. Such a copy has the
//! name [`NAME`]. Routes of that name, and no others, are owned: put there, brought up to date and taken away.

use hotfix_core::model::{InvalidValue, SlotName};
use json_patch::PatchOperation;
use serde_json::{Value, json};

use super::cursor::{At, Misfit, add, of_the_generation_read, remove, test};
use super::shares::{self, OneSided};
use super::virtual_service::{OurRoute, VirtualService};
use super::{NotUnderstood, Route};
use crate::slot::Side;

/// The name that marks a route as a tester route.
pub(crate) const NAME: &str = "hotfix-testers";

/// The header by which testers are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Testers {
    header: String,
    value: String,
}

impl Testers {
    /// Names the header, in lower case as Istio wants it, and the value it must have.
    pub(crate) fn new(header: &str, value: &str) -> Result<Self, InvalidValue> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if header.is_empty() || !header.chars().all(allowed) {
            return Err(InvalidValue::new("header", header, "lower-case letters, digits and '-'"));
        }
        if value.is_empty() {
            return Err(InvalidValue::new("header value", value, "a text that testers send"));
        }
        Ok(Self { header: header.to_owned(), value: value.to_owned() })
    }
}

/// Whether an http route is a tester route.
pub(super) fn owns(route: &At<'_>) -> Result<bool, Misfit> {
    Ok(route.text("name")? == Some(NAME))
}

impl VirtualService {
    /// Returns what makes testers, and only they, reach `slot`; nothing when they do.
    pub(crate) fn open_to_testers(
        &self,
        object: &Value,
        testers: &Testers,
        slot: &SlotName,
    ) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let wanted =
            self.slots.side(slot).ok_or_else(|| shares::unknown(&self.slots, slot)).and_then(|side| {
                let http =
                    self.ours(object, OneSided::PassedOver)?.into_iter().filter(|ours| ours.kind == "http");
                http.map(|ours| Ok((ours.index, testers.route(&ours, side)?))).collect()
            });
        self.tester_routes(object, wanted)
    }

    /// Returns what takes the tester routes away.
    pub(crate) fn close_to_testers(&self, object: &Value) -> Result<Vec<PatchOperation>, NotUnderstood> {
        self.tester_routes(object, Ok(Vec::new()))
    }

    fn tester_routes(
        &self,
        object: &Value,
        wanted: Result<Vec<(usize, Value)>, Misfit>,
    ) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let changes = wanted.and_then(|wanted| changes(&At::root(object), &wanted));
        changes
            .map(|changes| of_the_generation_read(object, changes))
            .map_err(|misfit| misfit.of(self.object()))
    }
}

/// Puts each wanted route before the one with its index and removes every other tester route; from the last to the
/// first, so that each change leaves the places before it as they were.
fn changes(object: &At<'_>, wanted: &[(usize, Value)]) -> Result<Vec<PatchOperation>, Misfit> {
    let spec = object.need("spec", "give the VirtualService routes")?;
    let Some(list) = spec.field("http")? else {
        return Ok(Vec::new());
    };
    let routes = list.elements()?;
    let wanted_before = |index| wanted.iter().find(|(before, _)| *before == index).map(|(_, route)| route);
    let mut changes = Vec::new();
    for (index, route) in routes.iter().enumerate().rev() {
        let here = list.pointer_to(&index.to_string());
        if owns(route)? && wanted_before(index + 1) != Some(route.value()) {
            changes.extend([test(here.clone(), route.value().clone()), remove(here.clone())]);
        }
        let stands = |route: &Value| index > 0 && routes[index - 1].value() == route;
        if let Some(route) = wanted_before(index).filter(|route| !stands(route)) {
            changes.push(add(here, route.clone()));
        }
    }
    Ok(changes)
}

impl Testers {
    fn route(&self, ours: &OurRoute<'_>, side: Side) -> Result<Value, Misfit> {
        let mut matches = Vec::new();
        for alternative in ours.route.list("match")? {
            matches.push(self.narrowed(&alternative)?);
        }
        if matches.is_empty() {
            matches.push(json!({ "headers": { &self.header: { "exact": self.value } } }));
        }
        let mut destination = ours.shares.entry(side).value().clone();
        if let Value::Object(fields) = &mut destination {
            fields.remove("weight");
        }
        let mut copy = ours.route.value().clone();
        copy["name"] = json!(NAME);
        copy["match"] = Value::Array(matches);
        copy["route"] = json!([destination]);
        Ok(copy)
    }

    /// A match that asks for the header too.
    fn narrowed(&self, alternative: &At<'_>) -> Result<Value, Misfit> {
        for field in ["headers", "withoutHeaders"] {
            let headers = alternative.field(field)?;
            if let Some(asked) = headers.and_then(|headers| headers.field(&self.header).transpose()) {
                return Err(
                    asked?.misfit("this match asks for the testers' header itself; choose another header")
                );
            }
        }
        let mut narrowed = alternative.value().clone();
        narrowed["headers"][&self.header] = json!({ "exact": self.value });
        Ok(narrowed)
    }
}

#[cfg(test)]
#[path = "testers_tests.rs"]
mod tests;
