//! `hotfix.toml`: read once, complete, and every mistake named by file, line, key, value and what is allowed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use hotfix::model::{EnvironmentName, ServiceName};
use hotfix::notify::{SlackWebApiConfig, SlackWebhookConfig};
use hotfix::policy::{Policy, Settings};
use serde::{Deserialize, Deserializer};

use crate::exit::Failure;

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    service: ServiceName,
    #[serde(default)]
    repository: PathBuf,
    remote: Option<String>,
    #[serde(default = "state")]
    state: PathBuf,
    store: Option<PathBuf>,
    #[serde(default)]
    policy: Settings,
    #[serde(default)]
    targets: BTreeMap<EnvironmentName, TargetSettings>,
    #[serde(default)]
    notifiers: Notifiers,
}

/// How the service is set up in one environment. Counts when it is installed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TargetSettings {
    /// Where its proxy listens; port 0 lets the system choose one for good.
    #[serde(deserialize_with = "address")]
    pub(crate) listen: SocketAddr,
    /// How many instances it has.
    pub(crate) replicas: NonZeroU16,
}

impl Default for TargetSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), replicas: NonZeroU16::MIN.saturating_add(1) }
    }
}

/// Who is told. A table that is not there is a notifier that is not used.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Notifiers {
    /// Lines on the standard error.
    pub(crate) console: Option<ConsoleSettings>,
    /// Slack's Web API: threads and updates.
    pub(crate) slack: Option<SlackWebApiConfig>,
    /// An incoming webhook of Slack.
    pub(crate) slack_webhook: Option<SlackWebhookConfig>,
}

/// The console has nothing to set.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConsoleSettings {}

/// The configuration with every path made absolute or relative to the current folder, and a policy that makes sense.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) service: ServiceName,
    pub(crate) repository: PathBuf,
    pub(crate) remote: Option<String>,
    pub(crate) state: PathBuf,
    pub(crate) store: PathBuf,
    pub(crate) policy: Policy,
    pub(crate) targets: BTreeMap<EnvironmentName, TargetSettings>,
    pub(crate) notifiers: Notifiers,
}

impl Config {
    /// Reads a file.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let file = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!(
                "{file}: {error}; go to the folder of your hotfix.toml, name the file with --config, or begin with \
                 the one in the README of this example"
            ))
        })?;
        let written: Written = toml::from_str(&text)
            .map_err(|error| Failure::usage(format!("{file}: {}", explain(&text, &error))))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        written.complete(folder).map_err(|message| Failure::usage(format!("{file}: {message}")))
    }
}

impl Written {
    fn complete(self, folder: &Path) -> Result<Config, String> {
        let policy = Policy::new(self.policy).map_err(|invalid| {
            let faults: Vec<_> = invalid.faults.iter().map(|fault| format!("policy.{fault}")).collect();
            faults.join("\n  ")
        })?;
        let known = [policy.environments.staging.as_ref(), Some(&policy.environments.production)];
        let known: Vec<_> = known.into_iter().flatten().collect();
        if let Some(strange) = self.targets.keys().find(|name| !known.contains(name)) {
            let names: Vec<_> = known.iter().map(|name| name.as_str()).collect();
            return Err(format!(
                "targets.{strange} is no environment of the policy; allowed are {}",
                names.join(" and ")
            ));
        }
        let state = folder.join(self.state);
        Ok(Config {
            service: self.service,
            repository: match folder.join(self.repository) {
                path if path.as_os_str().is_empty() => ".".into(),
                path => path,
            },
            remote: self.remote,
            store: self.store.map_or_else(|| state.join("hotfix.db"), |store| folder.join(store)),
            state,
            policy,
            targets: self.targets,
            notifiers: self.notifiers,
        })
    }
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| {
        let allowed = "an address with a port, such as 127.0.0.1:8080 or [::1]:0";
        serde::de::Error::custom(format!("invalid address {text:?}: allowed is {allowed}"))
    })
}

fn state() -> PathBuf {
    ".hotfix".into()
}

/// Says where a mistake is. Values are not quoted beyond what the message holds: one of them could be a secret.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim_end();
    let Some(span) = error.span().filter(|_| !message.starts_with("missing field")) else {
        return message.to_owned();
    };
    let before = text.get(..span.start).unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let key = line.split_once('=').map_or("", |(key, _)| key.trim());
    let table = before.lines().rev().map(str::trim).find(|line| line.starts_with('['));
    let table = table.filter(|_| !key.is_empty()).map_or("", |table| table.trim_matches(['[', ']']));
    let dot = if table.is_empty() || key.is_empty() { "" } else { "." };
    let at = if key.is_empty() { line.trim() } else { key };
    format!("line {number}, {table}{dot}{at}: {message}")
}
