//! What the benchmarks and the comparisons run on: a generated repository, a small shop on the reference backends, and
//! how a run of it is driven without waiting.

mod failure;
pub mod journal;
pub mod program;
pub mod replay;
pub mod repository;
pub mod world;

pub use failure::Failure;
