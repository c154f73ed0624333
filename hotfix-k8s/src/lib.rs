#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(test),
    expect(dead_code, reason = "replica ratio, tester routes and leases are not wired yet")
)]

mod adopt;
mod api;
mod apply;
mod backend;
mod config;
mod deployer;
mod error;
mod facts;
mod fence;
mod gitops;
mod hub;
mod in_place;
mod lanes;
mod lease;
mod names;
mod object;
mod owner;
mod pod;
mod release;
mod reply;
pub mod rights;
mod role;
mod seal;
mod shape;
mod sight;
mod slot;
mod snapshot;
mod steps;
mod template;
mod traffic;
mod waiting;
mod watch;
mod writing;

pub use config::{
    Destinations, EnvFrom, EnvValue, Fingerprints, HttpRouteTraffic, IngressTraffic, InvalidConfig,
    KubernetesConfig, OnAutoscaler, OnGitOps, Overrides, TargetConfig, Traffic, VirtualServiceTraffic,
    WorkloadKind,
};
pub use deployer::KubernetesDeployer;
pub use error::KubernetesError;
