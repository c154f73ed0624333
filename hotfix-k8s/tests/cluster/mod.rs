//! The tests that need a control plane. `cargo xtask test` leaves out what has `cluster::` in its path where there can be
//! none.

mod acceptance;
mod adopt;
mod conformance;
mod faults;
mod fence;
mod in_place;
mod restore;
mod set;
mod site;
mod stage;
mod traffic;
mod watch;
