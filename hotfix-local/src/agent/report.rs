//! What the agent tells about a target: plain data, the same on both ends of its admin port.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use hotfix_core::model::{ArtifactId, Fault, SlotName};
use serde::{Deserialize, Serialize};

use crate::proxy::CountersView;

/// The state of a target as its agent sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Rises with every change of this report.
    pub(crate) version: u64,
    /// The newest generation the agent has acted on.
    pub(crate) seen: u64,
    /// The newest generation whose traffic split is in effect.
    pub(crate) routed: u64,
    /// The newest generation of which nothing is left to stop.
    pub(crate) settled: u64,
    /// Why the split of the newest generation is not in effect yet.
    pub(crate) held: Option<String>,
    /// Where the proxy listens.
    pub(crate) address: Option<SocketAddr>,
    /// Why it does not.
    pub(crate) trouble: Option<String>,
    /// The split in effect, in percent.
    pub(crate) weights: BTreeMap<SlotName, u8>,
    /// What is wanted and filled.
    pub(crate) slots: BTreeMap<SlotName, SlotReport>,
    /// The newest faults, numbered, oldest first.
    pub(crate) faults: VecDeque<NumberedFault>,
}

/// One filled slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SlotReport {
    pub(crate) artifact: ArtifactId,
    pub(crate) replicas: u16,
    pub(crate) ready: u16,
    /// What is wrong at the moment.
    pub(crate) faults: Vec<Fault>,
    pub(crate) instances: Vec<InstanceReport>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InstanceReport {
    pub(crate) token: String,
    pub(crate) pid: i32,
    pub(crate) port: u16,
    pub(crate) ready: bool,
    pub(crate) restarts: u32,
}

/// A fault and its place in the order of all faults of the target since the agent began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberedFault {
    pub(crate) number: u64,
    pub(crate) slot: SlotName,
    pub(crate) fault: Fault,
}

/// The counters of one series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeriesReport {
    pub(crate) slot: SlotName,
    pub(crate) series: String,
    pub(crate) in_flight: usize,
    pub(crate) counters: CountersView,
}

/// Which state of a report a client waits for; everything named must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Until {
    /// Any other version: one that is lower is that of an agent that was started since.
    pub(crate) version_not: Option<u64>,
    pub(crate) seen: u64,
    pub(crate) routed: u64,
    pub(crate) settled: u64,
}

impl Until {
    pub(crate) fn holds(&self, report: &Report) -> bool {
        self.version_not.is_none_or(|version| report.version != version)
            && report.seen >= self.seen
            && report.routed >= self.routed
            && report.settled >= self.settled
    }
}

/// How many faults a report remembers.
pub(crate) const FAULTS_KEPT: usize = 64;
