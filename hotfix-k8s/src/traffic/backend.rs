//! What an embedder says of a way to split traffic, and all that follows from it.
//!
//! The configuration, its checks, the rights and the reading of a target ask this trait alone. So a way to split traffic
//! is one file, with the type of its configuration and its [`Backend`], its [`Route`] and the kind of its objects.

use std::fmt;

use hotfix_core::port::TrafficSplit;
use serde_json::Value;

use super::{NotUnderstood, Route};
use crate::config::{Named, Odd, ReplicasTraffic, TargetConfig};
use crate::object::{Kind, ObjectRef};
use crate::rights::Feature;
use crate::shape::{Names, Shape};
use crate::slot::{Side, Slots};

/// A way to split traffic, as it is configured.
pub(crate) trait Backend: fmt::Debug {
    /// The object that says how traffic is split; `None`: the Service of the target.
    fn route(&self) -> Option<RouteName<'_>>;

    /// By which Services the traffic reaches the slots.
    fn reached(&self) -> Reached<'_>;

    /// How finely it splits.
    fn split(&self) -> TrafficSplit {
        TrafficSplit::Percent
    }

    /// Every other name that its configuration gives.
    fn names(&self) -> Vec<Named<'_>> {
        Vec::new()
    }

    /// Checks what else can be checked without a cluster.
    fn check(&self, _config: &TargetConfig) -> Result<(), Odd> {
        Ok(())
    }

    /// What it takes beside its route, the Services and what it rests on.
    fn features(&self) -> Vec<Feature> {
        Vec::new()
    }

    /// What the route of a target with this Service rests on.
    fn premise(&self, _service: &ObjectRef) -> Option<Box<dyn Premise>> {
        None
    }

    /// What splits the traffic of a target.
    fn means(&self, site: &Site<'_>) -> Means;
}

/// The name of an object that says how traffic is split.
#[derive(Debug)]
pub(crate) struct RouteName<'a> {
    pub(crate) kind: Kind,
    pub(crate) name: Named<'a>,
    /// What follows the name of the Service where no other is given.
    pub(crate) suffix: &'static str,
}

/// By which Services the traffic reaches the slots.
#[derive(Debug)]
pub(crate) enum Reached<'a> {
    /// By the Service that says how it is split, and goes over to other endpoints when it has them.
    Itself,
    /// By one for each slot: that of the target, and this one for the copy; with no name, the same with `-hotfix`.
    Two(Named<'a>),
    /// By the one of the target, which has the pods of both.
    One,
}

impl Reached<'_> {
    /// Returns the Service whose endpoints get what the route gives to a slot, if that is another object.
    pub(crate) fn service_of(&self, side: Side, service: &str) -> Option<String> {
        match (self, side) {
            (Self::Itself, _) => None,
            (Self::Two(copy), Side::Hotfix) => {
                Some(copy.name.map_or_else(|| format!("{service}-hotfix"), str::to_owned))
            }
            (Self::Two(_), Side::Main) | (Self::One, _) => Some(service.to_owned()),
        }
    }
}

/// A target whose traffic is split.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) names: &'a Names,
    pub(crate) shape: &'a Shape,
    pub(crate) slots: &'a Slots,
}

impl Site<'_> {
    /// Returns the name of the Service by which a slot is reached.
    pub(crate) fn service_of(&self, side: Side, reached: &Reached<'_>) -> String {
        let service = &self.names.service.name;
        reached.service_of(side, service).unwrap_or_else(|| service.clone())
    }
}

/// What splits the traffic of a target.
#[derive(Debug)]
pub(crate) enum Means {
    /// What an object says.
    Route(Box<dyn Route>),
    /// The numbers of pods.
    Pods(ReplicasTraffic),
}

/// An object that a route rests on. It is the operator's and only read.
pub(crate) trait Premise: fmt::Debug + Send + Sync {
    /// The object, of this kind.
    fn object(&self) -> (Kind, ObjectRef);

    /// Checks that it leads to the pods of the slots. `main` is the main Deployment: what is staged gets the labels of its
    /// template.
    fn check(&self, object: &Value, main: &Value, shape: &Shape) -> Result<(), NotUnderstood>;
}
