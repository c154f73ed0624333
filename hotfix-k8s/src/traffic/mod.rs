//! Where the split of traffic between the slots is written.
//!
//! A backend is one file that implements [`Route`]: a pure reader and writer of one kind of object. Fence, requests
//! and retries are the deployer's.

use std::fmt;

use hotfix_core::model::{SlotName, Weights};
use hotfix_core::port::TrafficSplit;
use json_patch::PatchOperation;
use serde_json::Value;

use crate::object::ObjectRef;

pub(crate) mod choice;
#[cfg(test)]
mod cluster;
pub(crate) mod course;
mod cursor;
pub(crate) mod dial;
pub(crate) mod http_route;
pub(crate) mod ingress;
#[cfg(test)]
mod patched;
pub(crate) mod pin;
#[cfg(test)]
mod properties;
pub(crate) mod ratio;
mod service;
mod shares;
pub(crate) mod size;
pub(crate) mod subsets;
mod tester_rules;
mod testers;
pub(crate) mod virtual_service;

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

    /// Tells whether whoever serves the traffic has taken the object up, where its status says.
    fn uptake(&self, object: &Value) -> Uptake;
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
