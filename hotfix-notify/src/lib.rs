//! Tells people what a hotfix run is doing.

mod clean;
#[cfg(feature = "console")]
mod console;
mod error;
#[cfg(feature = "console")]
mod receipt;
mod redact;

pub use clean::Clean;
#[cfg(feature = "console")]
pub use console::{Console, Style};
pub use error::ConfigError;
pub use redact::{REDACTED, redact};
