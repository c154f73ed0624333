//! Traffic by the weights of a Gateway API HTTPRoute between two Services.
//!
//! Every rule with a backend for each slot is written, or the named ones; a rule that sends traffic to one slot alone
//! is refused when weights are read, unless the rules to write were named: whoever names rules answers for the others.
//! When weights are written it is passed over, as is whatever is not understood, so that it keeps no undo from the rest.

use std::collections::BTreeSet;
use std::fmt;

use hotfix_core::model::{SlotName, Weights};
use hotfix_core::port::TrafficSplit;
use json_patch::PatchOperation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::backend::{Backend, Means, Reached, RouteName, Site};
use super::cursor::{At, Misfit, of_the_generation_read};
use super::shares::{self, Foreign, Found, Shares};
use super::testers;
use super::{Doubt, NotUnderstood, Route, Uptake};
use crate::config::{Named, Odd, TargetConfig, Testers};
use crate::object::{Kind, ObjectRef};
use crate::slot::{Side, Slots};

const KIND: Kind =
    Kind { api_version: "gateway.networking.k8s.io/v1", name: "HTTPRoute", plural: "httproutes" };

/// The weights of a Gateway API HTTPRoute between the Service of the target and that of its copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpRouteTraffic {
    /// Its name; `None`: that of the Service.
    pub name: Option<String>,
    /// The Service of the copy; `None`: the name of the Service with `-hotfix`.
    pub hotfix: Option<String>,
    /// The rules that are written; none named: every rule with a backend for each slot.
    pub rules: BTreeSet<String>,
    /// Who reaches a staged release before customers do; `None`: nobody. Only where `rules` names the rules: where the
    /// API server keeps those names, it keeps the ones by which the rules for testers are known again.
    pub testers: Option<Testers>,
}

impl Backend for HttpRouteTraffic {
    fn route(&self) -> Option<RouteName<'_>> {
        let mend = "name an HTTPRoute of the namespace: lower-case letters, digits and inner dashes";
        let name = Named::object("traffic.http_route.name", self.name.as_deref(), mend);
        Some(RouteName { kind: KIND, name, suffix: "" })
    }

    fn reached(&self) -> Reached<'_> {
        Reached::Two(Named::service("traffic.http_route.hotfix", self.hotfix.as_deref()))
    }

    fn check(&self, _config: &TargetConfig) -> Result<(), Odd> {
        match &self.testers {
            Some(testers) if self.rules.is_empty() => {
                let mend = "name the rules that are written in traffic.http_route.rules";
                Err(("traffic.http_route.testers", testers.header().to_owned(), mend))
            }
            _ => Ok(()),
        }
    }

    fn means(&self, site: &Site<'_>) -> Means {
        let (route, reached) = (&site.names.route, self.reached());
        Means::Route(Box::new(HttpRoute {
            namespace: route.namespace.clone(),
            name: route.name.clone(),
            slots: site.slots.clone(),
            services: route.namespace.clone(),
            main: site.service_of(Side::Main, &reached),
            hotfix: site.service_of(Side::Hotfix, &reached),
            rules: if self.rules.is_empty() { Rules::Every } else { Rules::Named(self.rules.clone()) },
            testers: self.testers.clone(),
        }))
    }
}

/// An HTTPRoute that splits the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpRoute {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) slots: Slots,
    /// Where the Services are.
    pub(crate) services: String,
    /// The Service of the slot `main`.
    pub(crate) main: String,
    /// The Service of the slot `hotfix`.
    pub(crate) hotfix: String,
    pub(crate) rules: Rules,
    pub(crate) testers: Option<Testers>,
}

/// A rule that is ours to write.
#[derive(Debug)]
pub(super) struct OurRule<'a> {
    /// Its place among all.
    pub(super) index: usize,
    pub(super) rule: At<'a>,
    pub(super) shares: Shares<'a>,
}

/// Which rules are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Every rule with a backend for each slot.
    Every,
    /// The rules of these names.
    Named(BTreeSet<String>),
}

impl Route for HttpRoute {
    fn object(&self) -> ObjectRef {
        KIND.object(&self.namespace, &self.name)
    }

    fn split(&self) -> TrafficSplit {
        TrafficSplit::Percent
    }

    fn read(&self, object: &Value) -> Result<Weights, NotUnderstood> {
        let weights =
            self.lists(object, Foreign::Refused).and_then(|lists| shares::read(&lists, &self.slots));
        weights.map_err(|misfit| misfit.of(self.object()))
    }

    fn write(&self, object: &Value, weights: &Weights) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let changes = self
            .lists(object, Foreign::PassedOver)
            .and_then(|lists| shares::write(&lists, &self.slots, weights));
        changes
            .map(|changes| of_the_generation_read(object, changes))
            .map_err(|misfit| misfit.of(self.object()))
    }

    fn open(&self, object: &Value, slot: &SlotName) -> Result<Option<Vec<PatchOperation>>, NotUnderstood> {
        self.testers.as_ref().map(|testers| self.open_to_testers(object, testers, slot)).transpose()
    }

    fn close(&self, object: &Value) -> Result<Vec<PatchOperation>, NotUnderstood> {
        self.close_to_testers(object)
    }

    /// In force when every Gateway that the route names says so of this generation: accepted, all references resolved.
    fn doubts(&self, object: &Value) -> Vec<Doubt> {
        let parents = array(object, "/spec/parentRefs");
        if parents.is_empty() {
            let reason = "names no parent in /spec/parentRefs, so nobody serves it".to_owned();
            let objection = Some(reason.clone());
            return vec![Doubt { uptake: Uptake::Refused { reason }, objection }];
        }
        let statuses = array(object, "/status/parents");
        let generation = object.pointer("/metadata/generation").and_then(Value::as_u64);
        let of_parent = |parent| {
            let wanted = Parent::read(parent, &self.namespace);
            let mut answers = statuses
                .iter()
                .filter(|status| Parent::read(&status["parentRef"], &self.namespace) == wanted);
            match answers.next() {
                Some(status) => wanted.doubts(status, generation),
                None => vec![Doubt {
                    uptake: Uptake::Pending,
                    objection: Some(format!("{wanted} says nothing of it")),
                }],
            }
        };
        parents.iter().flat_map(of_parent).collect()
    }
}

impl HttpRoute {
    fn lists<'a>(&self, object: &'a Value, foreign: Foreign) -> Result<Vec<Shares<'a>>, Misfit> {
        Ok(self.ours(object, foreign)?.into_iter().map(|ours| ours.shares).collect())
    }

    /// The rules that are ours to write; at least one.
    pub(super) fn ours<'a>(&self, object: &'a Value, foreign: Foreign) -> Result<Vec<OurRule<'a>>, Misfit> {
        let spec = At::root(object).need("spec", "give the HTTPRoute rules")?;
        let (mut rules, mut ours, mut first) = (Vec::new(), Vec::new(), None);
        for (index, rule) in spec.list("rules")?.into_iter().enumerate() {
            if !foreign.understood(testers::owns(&rule), &mut first)?.unwrap_or(true) {
                rules.push((index, rule));
            }
        }
        if let Rules::Named(names) = &self.rules {
            let mut found = Vec::new();
            for name in names {
                found.extend(foreign.understood(named(&spec, &rules, name), &mut first)?);
            }
            rules = found;
        }
        for (index, rule) in rules {
            ours.extend(foreign.understood(self.our(index, rule, foreign), &mut first)?.flatten());
        }
        if ours.is_empty() { Err(first.unwrap_or_else(|| self.without_slots(&spec))) } else { Ok(ours) }
    }

    /// A rule if it is ours to write.
    fn our<'a>(&self, index: usize, rule: At<'a>, foreign: Foreign) -> Result<Option<OurRule<'a>>, Misfit> {
        let Some(list) = rule.field("backendRefs")? else { return Ok(None) };
        // The API gives a backend without a weight the weight 1.
        match shares::find(&list, |_| 1, |entry| self.side(entry))? {
            Found::Both(shares) => Ok(Some(OurRule { index, rule, shares })),
            Found::One(side) if foreign == Foreign::Refused => Err(self.one_sided(&list, side)),
            Found::One(_) => Ok(None),
            Found::Neither if self.rules == Rules::Every => Ok(None),
            Found::Neither => Err(self.without_slots(&list)),
        }
    }

    fn side(&self, entry: &At<'_>) -> Result<Option<Side>, Misfit> {
        let group = entry.text("group")?.unwrap_or_default();
        let kind = entry.text("kind")?.unwrap_or("Service");
        let namespace = entry.text("namespace")?.unwrap_or(&self.namespace);
        if !group.is_empty() || kind != "Service" || namespace != self.services {
            return Ok(None);
        }
        let name = entry.text("name")?;
        let main = (name == Some(&self.main)).then_some(Side::Main);
        Ok(main.or_else(|| (name == Some(&self.hotfix)).then_some(Side::Hotfix)))
    }

    fn one_sided(&self, list: &At<'_>, side: Side) -> Misfit {
        let (has, has_not) = match side {
            Side::Main => (&self.main, &self.hotfix),
            Side::Hotfix => (&self.hotfix, &self.main),
        };
        list.misfit(format!("sends traffic to {has} and has no backend {has_not}; add it with weight 0"))
    }

    fn without_slots(&self, at: &At<'_>) -> Misfit {
        let (main, hotfix) = (&self.main, &self.hotfix);
        at.misfit(format!(
            "no rule has backends {main} and {hotfix}; add both to one, the second with weight 0"
        ))
    }
}

/// The rule of that name.
fn named<'a>(spec: &At<'a>, rules: &[(usize, At<'a>)], name: &str) -> Result<(usize, At<'a>), Misfit> {
    let list = spec.need("rules", &format!("add a rule with the name {name}"))?;
    for (index, rule) in rules {
        if rule.text("name")? == Some(name) {
            rule.need("backendRefs", "name a rule with backends")?;
            return Ok((*index, rule.clone()));
        }
    }
    Err(list.misfit(format!("no rule has the name {name}; add it or name another")))
}

fn array<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What tells one parent from another, with what the API takes for what is not said.
#[derive(Debug, PartialEq, Eq)]
struct Parent<'a> {
    group: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    section: &'a str,
    port: Option<u64>,
}

impl<'a> Parent<'a> {
    fn read(parent: &'a Value, namespace: &'a str) -> Self {
        let text = |name: &str, unsaid: &'a str| parent[name].as_str().unwrap_or(unsaid);
        Self {
            group: text("group", "gateway.networking.k8s.io"),
            kind: text("kind", "Gateway"),
            namespace: text("namespace", namespace),
            name: text("name", ""),
            section: text("sectionName", ""),
            port: parent["port"].as_u64(),
        }
    }

    /// What it says of the route. Of one that it does not accept it need not say anything else.
    fn doubts(&self, status: &Value, generation: Option<u64>) -> Vec<Doubt> {
        let conditions = array(status, "/conditions");
        let pending = || Doubt { uptake: Uptake::Pending, objection: None };
        let mut doubts = Vec::new();
        for kind in ["Accepted", "ResolvedRefs"] {
            let Some(condition) = conditions.iter().find(|condition| condition["type"] == kind) else {
                doubts.push(pending());
                continue;
            };
            // Some implementations never say of which generation they speak, and are taken at their word.
            let observed = condition["observedGeneration"].as_u64();
            if observed.is_some() && observed < generation {
                doubts.push(pending());
            } else if condition["status"] == "False" {
                let [why, message] =
                    ["reason", "message"].map(|field| condition[field].as_str().unwrap_or(""));
                let reason = format!("{} says not {kind}: {why}: {message}", self.name);
                let objection = Some(format!("{self} says not {kind}: {why}"));
                doubts.push(Doubt { uptake: Uptake::Refused { reason }, objection });
                break;
            } else if condition["status"] != "True" {
                doubts.push(pending());
            }
        }
        doubts
    }
}

impl fmt::Display for Parent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)?;
        if !self.section.is_empty() {
            write!(f, ", section {}", self.section)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ", port {port}"))
    }
}

#[cfg(test)]
#[path = "http_route_tests.rs"]
mod tests;
