#![doc = include_str!("../README.md")]

mod agent;
mod audit;
mod backend;
mod client;
mod config;
mod deployer;
mod durable;
mod error;
mod install;
mod layout;
mod ledger;
mod lock;
mod manifest;
mod metrics;
mod process;
mod proxy;
mod release;
mod state;
mod transition;
mod watch;
mod workload;

pub use agent::{Agent, AgentConfig, Launched, launch_agent};
pub use audit::{AcceptedWrite, WriteKind, accepted_writes};
pub use config::{LocalConfig, Slots, TargetOptions};
pub use deployer::LocalDeployer;
pub use error::LocalError;
pub use manifest::{HealthRules, MANIFEST_FILE, Manifest, ManifestError, RestartRules};
pub use metrics::LocalMetrics;
pub use release::{ExportError, GitTreeSource, ReleaseSource};
