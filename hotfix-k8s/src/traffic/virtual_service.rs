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
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::backend::{Backend, Means, Premise, Reached, RouteName, Site};
use super::cursor::{At, Misfit, of_the_generation_read};
use super::destinations::{Recipients, Service};
use super::shares::{self, Foreign, Found, Shares};
use super::testers;
use super::{Doubt, NotUnderstood, Route, Uptake};
use crate::config::{Named, Testers};
use crate::object::{Kind, ObjectRef};
use crate::slot::{Side, Slots};

const KIND: Kind =
    Kind { api_version: "networking.istio.io/v1", name: "VirtualService", plural: "virtualservices" };

/// The weights of an Istio VirtualService.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VirtualServiceTraffic {
    /// Its name; `None`: that of the Service.
    pub name: Option<String>,
    /// What the slots are called in it.
    pub destinations: Destinations,
    /// The http routes that are written; none named: every route with a destination for each slot.
    pub routes: BTreeSet<String>,
    /// Who reaches a staged release before customers do; `None`: nobody.
    pub testers: Option<Testers>,
}

/// What the slots are called in a VirtualService.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Destinations {
    /// A Service for each slot: that of the target, and this one for the copy; `None`: the same name with `-hotfix`.
    Hosts {
        /// The Service of the copy.
        hotfix: Option<String>,
    },
    /// Two subsets of the Service, as a DestinationRule defines them, by the one label of the Deployment's selector that
    /// the Service does not select by. The copy's value of it is the Deployment's with `-hotfix`.
    Subsets {
        /// That of the Deployment.
        main: String,
        /// That of its copy.
        hotfix: String,
        /// The DestinationRule; `None`: it has the name of the Service.
        rule: Option<String>,
    },
}

impl Default for Destinations {
    fn default() -> Self {
        Self::Hosts { hotfix: None }
    }
}

impl Backend for VirtualServiceTraffic {
    fn route(&self) -> Option<RouteName<'_>> {
        let mend = "name a VirtualService of the namespace: lower-case letters, digits and inner dashes";
        let name = Named::object("traffic.virtual_service.name", self.name.as_deref(), mend);
        Some(RouteName { kind: KIND, name, suffix: "" })
    }

    fn reached(&self) -> Reached<'_> {
        match &self.destinations {
            Destinations::Hosts { hotfix } => Reached::Two(Named::service(
                "traffic.virtual_service.destinations.hosts.hotfix",
                hotfix.as_deref(),
            )),
            Destinations::Subsets { .. } => Reached::One,
        }
    }

    fn names(&self) -> Vec<Named<'_>> {
        let Destinations::Subsets { main, hotfix, rule } = &self.destinations else { return Vec::new() };
        let mend = "name a subset of a DestinationRule: lower-case letters, digits and inner dashes";
        let subset = |field, name| Named::label(field, Some(name), mend);
        let mend = "name a DestinationRule of the namespace: lower-case letters, digits and inner dashes";
        vec![
            subset("traffic.virtual_service.destinations.subsets.main", main),
            subset("traffic.virtual_service.destinations.subsets.hotfix", hotfix),
            Named::object("traffic.virtual_service.destinations.subsets.rule", rule.as_deref(), mend),
        ]
    }

    fn premise(&self, service: &ObjectRef) -> Option<Box<dyn Premise>> {
        self.subsets(service).map(|subsets| Box::new(subsets) as Box<dyn Premise>)
    }

    fn means(&self, site: &Site<'_>) -> Means {
        let (route, reached) = (&site.names.route, self.reached());
        let host =
            |side| Service { namespace: route.namespace.clone(), name: site.service_of(side, &reached) };
        Means::Route(Box::new(VirtualService {
            namespace: route.namespace.clone(),
            name: route.name.clone(),
            slots: site.slots.clone(),
            destinations: match &self.destinations {
                Destinations::Hosts { .. } => {
                    Recipients::Hosts { main: host(Side::Main), hotfix: host(Side::Hotfix) }
                }
                Destinations::Subsets { main, hotfix, .. } => {
                    let (main, hotfix) = (main.clone(), hotfix.clone());
                    Recipients::Subsets { of: host(Side::Main), main, hotfix }
                }
            },
            routes: if self.routes.is_empty() { Routes::Every } else { Routes::Named(self.routes.clone()) },
            testers: self.testers.clone(),
        }))
    }
}

/// A VirtualService that splits the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VirtualService {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) slots: Slots,
    pub(crate) destinations: Recipients,
    pub(crate) routes: Routes,
    pub(crate) testers: Option<Testers>,
}

/// Which routes are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Routes {
    /// Every http, tls and tcp route with a destination for each slot.
    Every,
    /// The http routes of these names.
    Named(BTreeSet<String>),
}

impl Route for VirtualService {
    fn object(&self) -> ObjectRef {
        KIND.object(&self.namespace, &self.name)
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
        let [main, hotfix] = Side::BOTH.map(|side| self.destinations.name(side));
        at.misfit(format!(
            "no route has destinations {main} and {hotfix}; add both to one, the second with weight 0"
        ))
    }

    fn find<'a>(&self, list: &At<'a>) -> Result<Found<'a>, Misfit> {
        // Istio gives a lone destination everything, and one of several without a weight nothing.
        let unwritten = |length| if length == 1 { 100 } else { 0 };
        shares::find(list, unwritten, |entry| self.destinations.side(entry, &self.namespace))
    }

    fn one_sided(&self, list: &At<'_>, side: Side) -> Misfit {
        list.misfit(format!(
            "sends traffic to {} and has no destination {}; add it with weight 0",
            self.destinations.name(side),
            self.destinations.name(side.other())
        ))
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
