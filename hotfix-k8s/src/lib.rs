#![doc = include_str!("../README.md")]

mod adopt;
mod api;
mod apply;
mod autoscaler;
mod backend;
mod budget;
mod change;
mod config;
mod connection;
mod contents;
mod copies;
mod credentials;
mod deployer;
mod drift;
mod error;
#[cfg(test)]
mod example;
mod facts;
mod fence;
mod gitops;
mod hub;
mod in_git;
mod in_place;
mod lanes;
mod lease;
mod memory;
mod names;
mod object;
mod owner;
mod pod;
mod presumed;
mod progress;
mod reading;
mod release;
mod replica_set;
mod reply;
pub mod rights;
mod role;
mod rollout;
mod runs;
mod seal;
mod served;
mod shape;
mod sight;
mod size;
mod slot;
mod snapshot;
mod steps;
mod sync;
mod template;
mod traffic;
mod turns;
mod waiting;
mod watch;
mod writing;

pub use config::{
    Copies, EnvFrom, EnvValue, Fingerprints, ImagePlace, ImageValues, InGit, InvalidConfig, KubernetesConfig,
    OnAutoscaler, OnGitOps, Overrides, RequestLimits, TargetConfig, Testers, WorkloadKind,
};
pub use deployer::KubernetesDeployer;
pub use error::KubernetesError;
pub use lease::{
    ClaimState, Leadership, LeadershipTerm, LeaseConfig, LeasedStore, Leases, ReleasedClaim, TargetClaim,
};
pub use sync::SyncOwner;
pub use traffic::configured::*;
