#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), expect(dead_code, reason = "leases are not wired yet"))]

mod adopt;
mod api;
mod apply;
mod backend;
mod change;
mod config;
mod deployer;
mod error;
mod facts;
mod fence;
mod gitops;
mod hub;
mod lanes;
mod lease;
mod names;
mod object;
mod owner;
mod pod;
mod refused;
mod release;
mod replica_set;
mod reply;
pub mod rights;
mod role;
mod seal;
mod shape;
mod sight;
mod size;
mod slot;
mod snapshot;
mod steps;
mod template;
mod traffic;
mod waiting;
mod watch;

pub use config::{
    Allowance, Destinations, EnvFrom, EnvValue, Fingerprints, HttpRouteTraffic, IngressTraffic,
    InvalidConfig, KubernetesConfig, OnAutoscaler, OnGitOps, Overrides, ReplicasTraffic, TargetConfig,
    Testers, Traffic, VirtualServiceTraffic,
};
pub use deployer::KubernetesDeployer;
pub use error::KubernetesError;
