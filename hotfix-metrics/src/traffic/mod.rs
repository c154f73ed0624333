//! What to ask for the traffic of a workload, and what the series of an answer count.

mod config;
mod convention;
mod counters;
mod group;
mod label;
mod plan;
mod rates;

pub use config::{LabelConfig, LabelsConfig, QueriesConfig, TrafficConfig, Unit};
pub use convention::Convention;
pub(crate) use counters::Counters;
pub(crate) use label::{Label, Slot};
pub(crate) use plan::{Meaning, Part, Reading};
pub(crate) use rates::Counter;
