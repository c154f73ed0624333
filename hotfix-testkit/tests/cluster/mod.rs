//! The test cluster, on a real control plane.

mod control_plane;
mod definitions;
mod keeper;
mod nodes;
mod proxy;
mod shop;
