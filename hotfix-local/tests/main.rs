//! The crate against real processes: one binary, so that the demo service and the controllers are built once.

mod agent;
mod conformance;
mod controller;
mod demo;
mod faults;
mod fence;
mod host;
mod http;
mod traffic;
