#![doc = include_str!("../README.md")]

mod durable;
mod duration_text;
mod error;
mod manifest;
mod names;
mod release;

pub use error::LocalError;
pub use manifest::{HealthRules, MANIFEST_FILE, Manifest, ManifestError, RestartRules};
pub use release::{ExportError, GitTreeSource, ReleaseSource};
