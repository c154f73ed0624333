//! Alerts around a release: rules that watch it afterwards, and silences for what was planned.

mod config;
mod rules;
mod silence;
mod write;
mod yaml;

pub use config::AlertsConfig;
pub use rules::{AlertRule, Alerting, ReleaseWatch, RuleGroup};
pub use silence::{Alertmanager, AlertmanagerConfig};
