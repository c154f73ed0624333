//! Processes of releases: started so that they outlive whoever starts them, named so that they are never mistaken.

mod identity;
mod listener;
mod procfs;
mod spawn;

pub(crate) use identity::{Identity, Instance};
pub(crate) use listener::{free_port, listens};
pub(crate) use procfs::{find_instances, leads_its_group};
pub(crate) use spawn::{Running, SpawnRequest, adopt, spawn};
