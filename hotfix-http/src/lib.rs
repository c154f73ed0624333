#![doc = include_str!("../README.md")]

mod clean;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod credentials;
mod error;
#[cfg(feature = "client")]
mod fault;
mod redact;
#[cfg(feature = "client")]
mod secret;
#[cfg(feature = "client")]
mod tls;
#[cfg(feature = "client")]
mod url;

pub use clean::Clean;
#[cfg(feature = "client")]
pub use client::{Answer, Http, HttpConfig, Protocol, Route, clamped};
#[cfg(feature = "client")]
pub use credentials::{Auth, Credentials};
pub use error::ConfigError;
#[cfg(feature = "client")]
pub use fault::{Cause, CauseKind, Fault};
pub use redact::{REDACTED, redact};
#[cfg(feature = "client")]
pub use secret::SecretSource;
#[cfg(feature = "client")]
pub use tls::TlsConfig;
#[cfg(feature = "client")]
pub use url::{private_endpoint, public_endpoint};
