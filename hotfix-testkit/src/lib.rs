#![doc = include_str!("../README.md")]

pub mod clock;
pub mod conformance;
pub mod explore;
pub mod fault;
pub mod http;
#[cfg(feature = "monitoring")]
pub mod monitoring;
