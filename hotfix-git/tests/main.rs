//! The tests of this crate on real repositories, in one binary.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its fixtures too")]

mod compose;
mod conflict;
mod conformance;
mod differential;
mod faults;
mod fixture;
mod join;
mod local;
mod message;
mod open;
mod pick;
mod remote;
