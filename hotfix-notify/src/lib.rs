#![doc = include_str!("../README.md")]

mod clean;
#[cfg(feature = "console")]
mod console;
mod error;
#[cfg(feature = "slack")]
mod http;
#[cfg(feature = "slack")]
mod pace;
#[cfg(any(feature = "console", feature = "slack"))]
mod receipt;
mod redact;
#[cfg(feature = "slack")]
mod secret;
#[cfg(feature = "slack")]
mod slack;

pub use clean::Clean;
#[cfg(feature = "console")]
pub use console::{Console, Style};
pub use error::ConfigError;
#[cfg(feature = "slack")]
pub use http::HttpConfig;
pub use redact::{REDACTED, redact};
#[cfg(feature = "slack")]
pub use secret::SecretSource;
#[cfg(feature = "slack")]
pub use slack::{SlackWebApi, SlackWebApiConfig, SlackWebhook, SlackWebhookConfig};
