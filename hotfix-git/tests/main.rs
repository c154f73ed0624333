//! The tests of this crate on real repositories, in one binary.

mod compose;
mod conflict;
mod differential;
mod fixture;
mod join;
mod local;
mod message;
mod open;
mod pick;
mod remote;
