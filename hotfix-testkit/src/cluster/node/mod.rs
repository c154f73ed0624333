//! Nodes: what takes pods, runs each as a process, and writes their status as a kubelet would.

mod agent;
mod back_off;
mod container;
mod life;
mod probe;
mod record;
mod register;
mod schedule;
mod status;
mod variables;

pub(super) use agent::Agent;
pub use agent::NodeOptions;
