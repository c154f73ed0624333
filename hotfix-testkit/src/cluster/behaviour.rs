//! What an image does when a node runs it.

use hotfix_core::model::Period;
use serde::{Deserialize, Serialize};

/// How the service in an image behaves. The default is a healthy one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Whether the node gets the image.
    pub pull: Pull,
    /// When it begins to be ready: until then `/healthz` answers 503.
    pub readiness: Readiness,
    /// How its process ends, if it does.
    pub end: End,
    /// How many answers in a hundred have status 500, spread evenly; at most 100.
    pub error_percent: u8,
    /// How long every answer takes, at least.
    pub latency: Period,
    /// How long it goes on serving after it was told to stop, because whoever sends it traffic learns of it later.
    pub linger: Period,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            pull: Pull::Works,
            readiness: Readiness::After(Period::from_millis(0)),
            end: End::Never,
            error_percent: 0,
            latency: Period::from_millis(0),
            linger: Period::from_secs(1),
        }
    }
}

/// Whether a node gets an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pull {
    /// It does.
    Works,
    /// The registry refuses with this message.
    Fails(String),
}

/// When a service begins to be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// That long after its start.
    After(Period),
    /// Not at all.
    Never,
}

/// How a process ends that nobody told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It does not.
    Never,
    /// It exits with code 1 that long after each start.
    Crash(Period),
    /// It is killed for its memory that long after each start.
    OutOfMemory(Period),
}
