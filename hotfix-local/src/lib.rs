#![doc = include_str!("../README.md")]

mod agent;
mod client;
mod durable;
mod error;
mod layout;
mod ledger;
mod lock;
mod manifest;
mod process;
mod proxy;
mod release;
mod state;
mod transition;

pub use agent::{Agent, AgentConfig, Launched, launch_agent};
pub use error::LocalError;
pub use manifest::{HealthRules, MANIFEST_FILE, Manifest, ManifestError, RestartRules};
pub use release::{ExportError, GitTreeSource, ReleaseSource};
