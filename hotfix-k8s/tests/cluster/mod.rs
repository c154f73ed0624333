//! The tests that need a control plane. `cargo xtask test` leaves out what has `cluster::` in its path where there can be
//! none.

mod acceptance;
mod adopt;
mod autoscaler;
mod conformance;
mod contents;
mod faults;
mod fence;
mod gitops;
mod gitops_controller;
mod gitops_run;
mod in_place;
mod leader;
mod lease;
mod leased_store;
mod obstacles;
mod replicas;
mod restore;
mod set;
mod site;
mod stage;
mod traffic;
mod undo;
mod watch;
