//! The service that runs in every pod: a process with an HTTP server that behaves as its image says.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /metrics` | counters and a histogram of everything answered, in the format of Prometheus |
//! | `GET /healthz` | 200 when it is ready, otherwise 503 |
//! | `POST /behaviour` | takes a [`Behaviour`](super::Behaviour) as JSON that replaces the one of the image |
//! | anything else | a JSON object with its pod, slot and version; or an error, as behaviour has it |
//!
//! Told to stop by SIGTERM it is not ready any more, but answers everybody who still asks until that becomes quiet, so
//! that no request fails.

mod client;
mod metrics;
mod serve;
mod service;
mod source;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::behaviour::Behaviour;

pub use client::DemoPod;
pub use serve::run;
pub use source::PodMetrics;

/// What a node tells the process: the one argument, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Assignment {
    /// Where it listens.
    pub(super) listen: Vec<SocketAddr>,
    pub(super) identity: Identity,
    pub(super) behaviour: Behaviour,
}

/// Who answers: `GET /` of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Identity {
    /// The namespace of the pod.
    pub namespace: String,
    /// The name of the pod.
    pub pod: String,
    /// The label `hotfix.dev/slot` of the pod, or nothing.
    pub slot: String,
    /// The version of the image: its tag when it was pushed.
    pub version: String,
    /// The image as the pod names it.
    pub image: String,
}
