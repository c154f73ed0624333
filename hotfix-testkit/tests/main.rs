//! The one test binary of the crate.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod check;
#[cfg(feature = "cluster")]
mod cluster;
mod defects;
mod deployer;
mod explore;
mod fault;
#[cfg(feature = "cluster")]
mod gateway;
mod http;
mod incident_store;
mod metrics_source;
mod notifier;
mod silencer;
mod version_control;
