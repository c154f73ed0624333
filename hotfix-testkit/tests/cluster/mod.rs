//! The test cluster, on a real control plane.

mod control_plane;
mod nodes;
mod shop;
