//! The tests of this crate on real repositories, in one binary.

mod differential;
mod fixture;
mod message;
mod pick;
