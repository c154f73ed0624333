//! The test cluster, on a real control plane.

mod command;
mod control_plane;
mod definitions;
mod gate;
mod keeper;
mod nodes;
mod proxy;
#[cfg(feature = "monitoring")]
mod scrape;
mod shop;
