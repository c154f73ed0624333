#![doc = include_str!("../README.md")]

#[cfg(feature = "console")]
mod console;
#[cfg(any(feature = "console", feature = "slack"))]
mod destination;
#[cfg(feature = "slack")]
mod pace;
#[cfg(any(feature = "console", feature = "slack"))]
mod receipt;
#[cfg(feature = "slack")]
mod slack;

#[cfg(feature = "console")]
pub use console::{Console, Style};
pub use hotfix_http::{Clean, ConfigError, REDACTED, redact};
#[cfg(feature = "slack")]
pub use hotfix_http::{HttpConfig, SecretSource};
#[cfg(feature = "slack")]
pub use slack::{SlackWebApi, SlackWebApiConfig, SlackWebhook, SlackWebhookConfig};
