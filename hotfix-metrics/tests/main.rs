//! The backends against real programs and scripted servers.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its fixtures too")]

mod alerts;
mod checks;
mod conformance;
mod grpc;
mod instance;
mod instances;
mod native;
mod probes;
mod refusals;
mod scraped;
mod silences;
mod stage;
mod tls;
mod wire;
