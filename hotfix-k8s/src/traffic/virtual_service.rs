//! Traffic by the weights of an Istio VirtualService: between two Services (host-level), or between two subsets of
//! one (subset-level; the DestinationRule with the subsets is the operator's, see [`super::subsets`]).
//!
//! Only the weights of routes are written that have a destination for each slot, and the tester routes of
//! [`super::testers`]. A route that sends traffic to one slot alone would go on doing so when that slot is empty, so
//! it is refused when weights are read, unless the routes to write were named: whoever names routes answers for the
//! others. When weights are written it is passed over, as is whatever is not understood, so that it keeps no undo from the
//! rest.

use std::collections::BTreeSet;

use hotfix_core::model::{SlotName, Weights};
use hotfix_core::port::TrafficSplit;
use json_patch::PatchOperation;
use serde_json::Value;

use super::cursor::{At, Misfit, of_the_generation_read};
use super::shares::{self, Foreign, Found, Shares};
use super::testers;
use super::{Doubt, NotUnderstood, Route, Uptake};
use crate::config::Testers;
use crate::object::ObjectRef;
use crate::slot::{Side, Slots};

/// A VirtualService that splits the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VirtualService {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) slots: Slots,
    pub(crate) destinations: Destinations,
    pub(crate) routes: Routes,
    pub(crate) testers: Option<Testers>,
}

/// What the slots are called in the routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destinations {
    /// A Service for each slot.
    Hosts { main: Service, hotfix: Service },
    /// A subset of one Service for each slot.
    Subsets { of: Service, main: String, hotfix: String },
}

/// A Service by name and namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// Which routes are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Routes {
    /// Every http, tls and tcp route with a destination for each slot.
    Every,
    /// The http routes of these names.
    Named(BTreeSet<String>),
}

impl Service {
    /// Whether a host that an object names is this Service. A short name is of the namespace of the object.
    pub(super) fn is_named(&self, host: &str, namespace: &str) -> bool {
        let mut labels = host.splitn(4, '.');
        labels.next() == Some(&self.name)
            && labels.next().unwrap_or(namespace) == self.namespace
            && labels.next().is_none_or(|label| label == "svc")
    }
}

impl Route for VirtualService {
    fn object(&self) -> ObjectRef {
        ObjectRef {
            api_version: "networking.istio.io/v1",
            kind: "VirtualService",
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    fn split(&self) -> TrafficSplit {
        TrafficSplit::Percent
    }

    fn read(&self, object: &Value) -> Result<Weights, NotUnderstood> {
        let lists = self.lists(object, Foreign::Refused).and_then(|lists| shares::read(&lists, &self.slots));
        lists.map_err(|misfit| misfit.of(self.object()))
    }

    fn write(&self, object: &Value, weights: &Weights) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let lists = self
            .lists(object, Foreign::PassedOver)
            .and_then(|lists| shares::write(&lists, &self.slots, weights));
        lists
            .map(|changes| of_the_generation_read(object, changes))
            .map_err(|misfit| misfit.of(self.object()))
    }

    fn open(&self, object: &Value, slot: &SlotName) -> Result<Option<Vec<PatchOperation>>, NotUnderstood> {
        self.testers.as_ref().map(|testers| self.open_to_testers(object, testers, slot)).transpose()
    }

    fn close(&self, object: &Value) -> Result<Vec<PatchOperation>, NotUnderstood> {
        self.close_to_testers(object)
    }

    /// Istio writes a status only where its operator asked for it. Its analysis is advice and no verdict on the
    /// route, so it is not looked at.
    fn doubts(&self, object: &Value) -> Vec<Doubt> {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let generation = object.pointer("/metadata/generation").and_then(number);
        let observed = object.pointer("/status/observedGeneration").and_then(number);
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let mut reconciled =
            conditions.into_iter().flatten().filter(|condition| condition["type"] == "Reconciled");
        let is_of_before = observed.is_some() && observed < generation;
        let is_under_way = reconciled.next().is_some_and(|condition| condition["status"] != "True");
        let pending = Doubt { uptake: Uptake::Pending, objection: None };
        (is_of_before || is_under_way).then_some(pending).into_iter().collect()
    }
}

/// A route that is ours to write.
#[derive(Debug)]
pub(super) struct OurRoute<'a> {
    /// `http`, `tls` or `tcp`.
    pub(super) kind: &'static str,
    /// Its place among those of its kind.
    pub(super) index: usize,
    pub(super) route: At<'a>,
    pub(super) shares: Shares<'a>,
}

impl VirtualService {
    /// The routes that are ours to write; at least one.
    pub(super) fn ours<'a>(&self, object: &'a Value, foreign: Foreign) -> Result<Vec<OurRoute<'a>>, Misfit> {
        let spec = At::root(object).need("spec", "give the VirtualService routes")?;
        let (mut ours, mut first) = (Vec::new(), None);
        for placed in self.written(&spec, foreign, &mut first)? {
            let found = foreign.understood(self.our(placed, foreign), &mut first)?;
            ours.extend(found.flatten());
        }
        if ours.is_empty() { Err(first.unwrap_or_else(|| self.without_slots(&spec))) } else { Ok(ours) }
    }

    /// The routes that are to be written, whatever is in them.
    fn written<'a>(
        &self,
        spec: &At<'a>,
        foreign: Foreign,
        first: &mut Option<Misfit>,
    ) -> Result<Vec<Placed<'a>>, Misfit> {
        let mut placed = Vec::new();
        match &self.routes {
            Routes::Every => {
                for kind in ["http", "tls", "tcp"] {
                    let routes = foreign.understood(spec.list(kind), first)?.unwrap_or_default();
                    for (index, route) in routes.into_iter().enumerate() {
                        let owned = foreign.understood(testers::owns(&route), first)?;
                        if kind != "http" || owned == Some(false) {
                            placed.push((kind, index, route));
                        }
                    }
                }
            }
            Routes::Named(names) => {
                for name in names {
                    match foreign.understood(named(spec, name), first)? {
                        Some(route) => placed.push(route),
                        // Whichever of several was written, each is taken back.
                        None => placed.extend(all_named(spec, name)),
                    }
                }
            }
        }
        Ok(placed)
    }

    /// A route if it is ours to write.
    fn our<'a>(
        &self,
        (kind, index, route): Placed<'a>,
        foreign: Foreign,
    ) -> Result<Option<OurRoute<'a>>, Misfit> {
        let Some(list) = route.field("route")? else { return Ok(None) };
        match self.find(&list)? {
            Found::Both(shares) => Ok(Some(OurRoute { kind, index, route, shares })),
            Found::One(side) if foreign == Foreign::Refused => Err(self.one_sided(&list, side)),
            Found::One(_) => Ok(None),
            Found::Neither if self.routes == Routes::Every => Ok(None),
            Found::Neither => Err(self.without_slots(&list)),
        }
    }

    fn lists<'a>(&self, object: &'a Value, foreign: Foreign) -> Result<Vec<Shares<'a>>, Misfit> {
        Ok(self.ours(object, foreign)?.into_iter().map(|ours| ours.shares).collect())
    }

    fn without_slots(&self, at: &At<'_>) -> Misfit {
        let [main, hotfix] = Side::BOTH.map(|side| self.destination(side));
        at.misfit(format!(
            "no route has destinations {main} and {hotfix}; add both to one, the second with weight 0"
        ))
    }

    fn find<'a>(&self, list: &At<'a>) -> Result<Found<'a>, Misfit> {
        // Istio gives a lone destination everything, and one of several without a weight nothing.
        let unwritten = |length| if length == 1 { 100 } else { 0 };
        shares::find(list, unwritten, |entry| self.side(entry))
    }

    fn one_sided(&self, list: &At<'_>, side: Side) -> Misfit {
        list.misfit(format!(
            "sends traffic to {} and has no destination {}; add it with weight 0",
            self.destination(side),
            self.destination(side.other())
        ))
    }

    /// The slot to which an entry of a route sends.
    fn side(&self, entry: &At<'_>) -> Result<Option<Side>, Misfit> {
        let destination = entry.need("destination", "name a destination")?;
        let host = destination.text("host")?.unwrap_or_default();
        let subset = destination.text("subset")?;
        match &self.destinations {
            Destinations::Hosts { main, hotfix } => {
                let main = self.is(host, main).then_some(Side::Main);
                let side = main.or_else(|| self.is(host, hotfix).then_some(Side::Hotfix));
                match (side, subset) {
                    (Some(_), Some(subset)) => Err(destination.misfit(format!(
                        "is a subset ({subset}) of {host}, and the slots are whole Services; \
                         name the slots by subsets"
                    ))),
                    (side, _) => Ok(side),
                }
            }
            Destinations::Subsets { of, .. } if !self.is(host, of) => Ok(None),
            Destinations::Subsets { main, hotfix, .. } => match subset {
                Some(subset) if subset == main => Ok(Some(Side::Main)),
                Some(subset) if subset == hotfix => Ok(Some(Side::Hotfix)),
                Some(_) => Ok(None),
                None => Err(destination.misfit(format!(
                    "is all of {host}, and the slots are its subsets {main} and {hotfix}; name a subset"
                ))),
            },
        }
    }

    fn is(&self, host: &str, service: &Service) -> bool {
        service.is_named(host, &self.namespace)
    }

    fn destination(&self, side: Side) -> String {
        match (&self.destinations, side) {
            (Destinations::Hosts { main: service, .. }, Side::Main)
            | (Destinations::Hosts { hotfix: service, .. }, Side::Hotfix) => service.name.clone(),
            (Destinations::Subsets { of, main: subset, .. }, Side::Main)
            | (Destinations::Subsets { of, hotfix: subset, .. }, Side::Hotfix) => {
                format!("{} subset {subset}", of.name)
            }
        }
    }
}

type Placed<'a> = (&'static str, usize, At<'a>);

/// Every http route of that name.
fn all_named<'a>(spec: &At<'a>, name: &str) -> Vec<Placed<'a>> {
    let http = spec.list("http").unwrap_or_default().into_iter().enumerate();
    let named = http.filter(|(_, route)| route.value()["name"] == *name);
    named.map(|(index, route)| ("http", index, route)).collect()
}

/// The http route of that name.
fn named<'a>(spec: &At<'a>, name: &str) -> Result<Placed<'a>, Misfit> {
    let list = spec.need("http", &format!("add an http route with the name {name}"))?;
    let mut found = None;
    for (index, route) in list.elements()?.into_iter().enumerate() {
        if route.text("name")? != Some(name) {
            continue;
        }
        route.need("route", "name a route with destinations")?;
        if found.is_some() {
            return Err(route.misfit(format!("a second http route has the name {name}; rename one")));
        }
        found = Some(("http", index, route));
    }
    found.ok_or_else(|| list.misfit(format!("no http route has the name {name}; add it or name another")))
}

#[cfg(test)]
#[path = "virtual_service_tests.rs"]
mod tests;
