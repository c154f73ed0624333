//! Routes by which testers reach a staged release: a request with a header goes to one slot whatever the weights say.
//!
//! Before each route that is ours to write stands a copy of it, so that testers meet the same matches, rewrites,
//! timeouts and policies; it asks for the header too, and its only destination is the slot's. Such a copy has a name
//! that begins with [`NAME`]. Routes of such a name, and no others, are owned: put there, brought up to date and taken
//! away.

use hotfix_core::model::SlotName;
use json_patch::PatchOperation;
use serde_json::{Value, json};

use super::NotUnderstood;
use super::cursor::{At, Misfit, add, of_the_generation_read, remove, test};
use super::shares::{self, Foreign};
use super::virtual_service::{OurRoute, VirtualService};
use crate::config::Testers;
use crate::slot::Side;

/// What the names of tester routes begin with.
pub(super) const NAME: &str = "hotfix-testers";

/// Whether a route is a tester route.
pub(super) fn owns(route: &At<'_>) -> Result<bool, Misfit> {
    Ok(route.text("name")?.is_some_and(|name| name.starts_with(NAME)))
}

impl VirtualService {
    /// Returns what makes testers, and only they, reach `slot`; nothing when they do.
    pub(super) fn open_to_testers(
        &self,
        object: &Value,
        testers: &Testers,
        slot: &SlotName,
    ) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let wanted =
            self.slots.side(slot).ok_or_else(|| shares::unknown(&self.slots, slot)).and_then(|side| {
                let http =
                    self.ours(object, Foreign::PassedOver)?.into_iter().filter(|ours| ours.kind == "http");
                http.map(|ours| Ok((ours.index, route(testers, &ours, side)?))).collect()
            });
        self.tester_routes(object, wanted)
    }

    /// Returns what takes the tester routes away.
    pub(super) fn close_to_testers(&self, object: &Value) -> Result<Vec<PatchOperation>, NotUnderstood> {
        self.tester_routes(object, Ok(Vec::new()))
    }

    fn tester_routes(
        &self,
        object: &Value,
        wanted: Result<Vec<(usize, Value)>, Misfit>,
    ) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let changes = wanted.and_then(|wanted| place(object, "http", &wanted));
        changes.map_err(|misfit| misfit.of(super::Route::object(self)))
    }
}

/// Puts each wanted route of a list of the object's spec before the one with its index and removes every other tester
/// route; from the last to the first, so that each change leaves the places before it as they were.
pub(super) fn place(
    object: &Value,
    list: &str,
    wanted: &[(usize, Value)],
) -> Result<Vec<PatchOperation>, Misfit> {
    let spec = At::root(object).need("spec", "give the object routes")?;
    let Some(list) = spec.field(list)? else {
        return Ok(Vec::new());
    };
    let routes = list.elements()?;
    let wanted_before = |index| wanted.iter().find(|(before, _)| *before == index).map(|(_, route)| route);
    let mut changes = Vec::new();
    for (index, route) in routes.iter().enumerate().rev() {
        let here = list.pointer_to(&index.to_string());
        if owns(route).is_ok_and(|owned| owned) && wanted_before(index + 1) != Some(route.value()) {
            changes.extend([test(here.clone(), route.value().clone()), remove(here.clone())]);
        }
        let stands = |route: &Value| index > 0 && routes[index - 1].value() == route;
        if let Some(route) = wanted_before(index).filter(|route| !stands(route)) {
            changes.push(add(here, route.clone()));
        }
    }
    Ok(of_the_generation_read(object, changes))
}

fn route(testers: &Testers, ours: &OurRoute<'_>, side: Side) -> Result<Value, Misfit> {
    let mut matches = Vec::new();
    for alternative in ours.route.list("match")? {
        matches.push(narrowed(testers, &alternative)?);
    }
    if matches.is_empty() {
        matches.push(json!({ "headers": { testers.header(): { "exact": testers.value() } } }));
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
fn narrowed(testers: &Testers, alternative: &At<'_>) -> Result<Value, Misfit> {
    for field in ["headers", "withoutHeaders"] {
        let headers = alternative.field(field)?;
        if let Some(asked) = headers.and_then(|headers| headers.field(testers.header()).transpose()) {
            return Err(taken(&asked?));
        }
    }
    let mut narrowed = alternative.value().clone();
    narrowed["headers"][testers.header()] = json!({ "exact": testers.value() });
    Ok(narrowed)
}

/// The refusal of a header that customers are told apart by already.
pub(super) fn taken(asked: &At<'_>) -> Misfit {
    asked.misfit("this match asks for the testers' header itself; choose another header")
}

#[cfg(test)]
#[path = "testers_tests.rs"]
mod tests;
