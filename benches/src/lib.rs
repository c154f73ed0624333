//! What the benchmarks and the comparisons run on: a generated repository, answers of Prometheus, a small shop on the reference backends, and
//! how a run of it is driven without waiting.

pub mod answer;
mod failure;
pub mod journal;
pub mod program;
pub mod replay;
pub mod repository;
pub mod world;

pub use failure::Failure;
