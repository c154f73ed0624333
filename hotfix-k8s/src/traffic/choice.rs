//! From the configured traffic backend to the one that reads and writes.

use hotfix_core::port::TrafficSplit;

use super::Route;
use super::service::ServiceSwitch;
use crate::config::Traffic;
use crate::object::ObjectRef;
use crate::shape::{Names, Shape};
use crate::slot::Slots;

impl Traffic {
    /// Returns the object that says how traffic is split.
    pub(crate) fn object(&self, namespace: &str, service: &str) -> ObjectRef {
        match self {
            Self::Service => ObjectRef::service(namespace, service),
        }
    }

    /// Returns how finely it splits.
    pub(crate) const fn split(&self) -> TrafficSplit {
        match self {
            Self::Service => TrafficSplit::Switch,
        }
    }

    /// Returns the backend for a target.
    pub(crate) fn route(&self, names: &Names, shape: &Shape, slots: &Slots) -> Box<dyn Route> {
        match self {
            Self::Service => Box::new(ServiceSwitch {
                object: names.route.clone(),
                slots: slots.clone(),
                label: shape.label.clone(),
                main: shape.main.clone(),
                hotfix: shape.hotfix.clone(),
            }),
        }
    }
}
