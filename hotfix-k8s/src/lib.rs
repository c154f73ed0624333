#![doc = include_str!("../README.md")]
#![expect(dead_code, reason = "the parts of this crate land one after the other")]

mod config;
mod fence;
mod names;
mod object;
mod pod;
mod release;
mod slot;
mod template;
mod traffic;

pub use config::{
    EnvFrom, EnvValue, Fingerprints, InvalidConfig, KubernetesConfig, OnAutoscaler, OnGitOps, Overrides,
    ServiceTraffic, TargetConfig, Traffic,
};
