#![doc = include_str!("../README.md")]

pub mod clock;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod conformance;
#[cfg(any(feature = "monitoring", feature = "cluster"))]
mod environment;
#[cfg(any(feature = "monitoring", feature = "cluster"))]
mod exchange;
pub mod explore;
pub mod fault;
pub mod http;
#[cfg(feature = "monitoring")]
pub mod monitoring;
#[cfg(any(feature = "monitoring", feature = "cluster"))]
mod program;
#[cfg(any(feature = "monitoring", feature = "cluster"))]
pub mod proxy;
