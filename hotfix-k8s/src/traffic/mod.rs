//! Where the split of traffic between the slots is written.
//!
//! A backend is one file: the type of its configuration, what follows from that ([`backend::Backend`]) and, for a kind of
//! object, a pure reader and writer ([`Route`]). Here stand its module and its line in the list; the configuration, its
//! checks and the rights are made of that. Fence, requests and retries are the deployer's.

use std::collections::BTreeSet;
use std::fmt;

use hotfix_core::model::{SlotName, Weights};
use hotfix_core::port::TrafficSplit;
use json_patch::PatchOperation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::ObjectRef;

pub(crate) mod backend;
mod choice;
#[cfg(test)]
mod cluster;
pub(crate) mod course;
mod cursor;
mod destinations;
pub(crate) mod dial;
mod http_route;
mod ingress;
#[cfg(test)]
mod patched;
pub(crate) mod pin;
#[cfg(test)]
mod properties;
pub(crate) mod ratio;
mod replicas;
mod service;
mod shares;
pub(crate) mod size;
mod subsets;
mod tester_rules;
mod testers;
mod traefik_service;
mod virtual_service;

choice::backends! {
    virtual_service: VirtualService(VirtualServiceTraffic), Destinations;
    http_route: HttpRoute(HttpRouteTraffic);
    ingress: Ingress(IngressTraffic);
    replicas: Replicas(ReplicasTraffic), Allowance;
    traefik_service: TraefikService(TraefikServiceTraffic);
}

/// An object that says how traffic is split.
pub(crate) trait Route: fmt::Debug + Send + Sync {
    /// The object that is read and written.
    fn object(&self) -> ObjectRef;

    /// How finely it splits.
    fn split(&self) -> TrafficSplit;

    /// Reads the split between the slots.
    fn read(&self, object: &Value) -> Result<Weights, NotUnderstood>;

    /// Returns what makes the object say `weights`: for each field that is ours a `test` of the value that was read
    /// and its replacement, and nothing else. Empty when it says so already.
    fn write(&self, object: &Value, weights: &Weights) -> Result<Vec<PatchOperation>, NotUnderstood>;

    /// Returns what makes testers, and only they, reach a slot whatever the weights say: empty when they do, `None` where
    /// nobody is a tester.
    fn open(&self, _object: &Value, _slot: &SlotName) -> Result<Option<Vec<PatchOperation>>, NotUnderstood> {
        Ok(None)
    }

    /// Returns what takes away whatever makes testers reach a slot.
    fn close(&self, _object: &Value) -> Result<Vec<PatchOperation>, NotUnderstood> {
        Ok(Vec::new())
    }

    /// Returns what whoever serves the traffic says in the object's status that keeps it from being in force: nothing
    /// where it has no status, so that it is in force when it is written.
    fn doubts(&self, _object: &Value) -> Vec<Doubt> {
        Vec::new()
    }

    /// Tells whether the object is in force. What stood against it `before` does not count: who did not serve it then
    /// serves nobody now.
    fn uptake(&self, object: &Value, before: &Objections) -> Uptake {
        let mut uptake = Uptake::InForce;
        for doubt in self.doubts(object).into_iter().filter(|doubt| !before.cover(doubt)) {
            match doubt.uptake {
                Uptake::InForce => {}
                Uptake::Pending => uptake = Uptake::Pending,
                refused @ Uptake::Refused { .. } => return refused,
            }
        }
        uptake
    }

    /// Returns what stands against the object.
    fn objections(&self, object: &Value) -> Objections {
        Objections(self.doubts(object).into_iter().filter_map(|doubt| doubt.objection).collect())
    }
}

/// Why a route may not be in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) uptake: Uptake,
    /// Who has what against it, if it is more than that it takes a while: the same words whenever it is the same.
    pub(crate) objection: Option<String>,
}

/// What stands against a route, to be known again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Objections(BTreeSet<String>);

impl Objections {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns those that are among others too.
    pub(crate) fn also_in(&self, others: &Self) -> Self {
        Self(self.0.intersection(&others.0).cloned().collect())
    }

    fn cover(&self, doubt: &Doubt) -> bool {
        doubt.objection.as_ref().is_some_and(|objection| self.0.contains(objection))
    }
}

/// Whether a route is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Uptake {
    /// Its status says that this generation is in force, or it has no status to say so.
    InForce,
    /// Its status is of an earlier generation.
    Pending,
    /// Its status says that it is not accepted.
    Refused {
        /// What the status says.
        reason: String,
    },
}

/// An object has a shape that this crate does not understand, so nothing of it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotUnderstood {
    pub(crate) object: Box<ObjectRef>,
    /// A JSON pointer into the object, such as `/spec/http/0/route`.
    pub(crate) path: String,
    /// What is there and what would be understood.
    pub(crate) reason: String,
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.object, self.path, self.reason)
    }
}
