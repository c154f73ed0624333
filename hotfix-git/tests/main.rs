//! The tests of this crate on real repositories, in one binary.

mod conflict;
mod differential;
mod fixture;
mod local;
mod message;
mod pick;
mod remote;
