//! What the agent remembers of a target's traffic across its own death.

use std::fs;
use std::io;
use std::path::Path;

use hotfix_core::model::SlotName;
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::state::Filling;

/// The traffic split in effect and the port, so that the next agent goes on where this one ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouterRecord {
    pub(crate) port: Option<u16>,
    pub(crate) routed: u64,
    pub(crate) routes: Vec<RouteRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteRecord {
    pub(crate) slot: SlotName,
    pub(crate) filling: Filling,
    pub(crate) percent: u8,
}

impl RouterRecord {
    /// Reads the record; a target that was never served, or whose record is unreadable, begins without one.
    pub(crate) fn read(path: &Path) -> Self {
        serde_json::from_slice(&fs::read(path).unwrap_or_default()).unwrap_or_default()
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        Ok(durable::replace(path, &text)?)
    }
}
