//! The tests that need a control plane. `cargo xtask test` leaves out what has `cluster::` in its path where there can be
//! none.

mod acceptance;
mod adopt;
mod conformance;
mod drift;
mod faults;
mod fence;
mod restore;
mod served;
mod site;
mod stage;
mod stale;
mod traffic;
mod watch;
