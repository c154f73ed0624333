//! The tests that need a control plane. `cargo xtask test` leaves out what has `cluster::` in its path where there can be
//! none.

mod acceptance;
mod adopt;
mod conformance;
mod faults;
mod fence;
mod ratio;
mod restore;
mod site;
mod stage;
mod testers;
mod traffic;
mod uptake;
mod watch;
