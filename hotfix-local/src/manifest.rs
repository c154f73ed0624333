//! The release manifest `hotfix-release.toml`: how the release in its folder is started, probed and stopped.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hotfix_core::model::Period;
use toml::{Table, Value};

/// The manifest's file name at the root of the release's tree.
pub const MANIFEST_FILE: &str = "hotfix-release.toml";

/// How a release is run. The README lists every key with its default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// Program and arguments; `{port}` stands for the instance's port.
    pub argv: Vec<String>,
    /// Environment variables set for the instance.
    pub env: BTreeMap<String, String>,
    /// Names of variables handed on from the agent's own environment, for secrets that do not belong in a tree.
    pub pass_env: Vec<String>,
    /// How readiness is told.
    pub health: HealthRules,
    /// Time between SIGTERM and SIGKILL, and the longest a retired instance is drained.
    pub grace: Period,
    /// What happens when an instance exits by itself.
    pub restart: RestartRules,
}

/// When an instance counts as ready, and as no longer ready.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthRules {
    /// Path of the GET request; 2xx and 3xx mean ready.
    pub path: String,
    /// Pause between two probes.
    pub interval: Period,
    /// Longest time one probe may take.
    pub timeout: Period,
    /// Failed probes in a row after which readiness is lost.
    pub failures: u32,
    /// Longest time from the start of the process to its first readiness.
    pub ready_within: Period,
}

/// How often and how fast an exited instance is started again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestartRules {
    /// Pause before the first restart; doubles with each exit.
    pub backoff: Period,
    /// Longest pause between restarts.
    pub backoff_max: Period,
    /// This many exits …
    pub crash_loop_exits: u32,
    /// … within this time are a crash loop.
    pub crash_loop_within: Period,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The tree has no manifest.
    #[error("the release has no {MANIFEST_FILE} at {}; add one with at least `argv` and `[health] path`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The manifest could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The manifest is not TOML.
    #[error("{MANIFEST_FILE} is not valid TOML: {reason}")]
    Syntax {
        /// The parser's message with line and column.
        reason: String,
    },
    /// A key this version does not know.
    #[error("{MANIFEST_FILE} has an unknown key `{key}`; allowed are {allowed}")]
    UnknownKey {
        /// Dotted path of the key.
        key: String,
        /// The keys that are known there.
        allowed: String,
    },
    /// A key that must be there is not.
    #[error("{MANIFEST_FILE} lacks `{key}`; give {allowed}")]
    MissingKey {
        /// Dotted path of the key.
        key: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// A value that cannot be used.
    #[error("{MANIFEST_FILE}: `{key}` is {value}; allowed is {allowed}")]
    Value {
        /// Dotted path of the key.
        key: String,
        /// The value as written.
        value: String,
        /// What it may hold.
        allowed: &'static str,
    },
}

impl Manifest {
    /// Reads the manifest of the release in `folder`.
    ///
    /// # Errors
    /// [`ManifestError`], which names the key, its value and what is allowed.
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(MANIFEST_FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ManifestError::Missing { path }),
            Err(source) => Err(ManifestError::Unreadable { path, source }),
        }
    }

    /// Reads a manifest from its text.
    ///
    /// # Errors
    /// [`ManifestError`], which names the key, its value and what is allowed.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let table: Table =
            text.parse().map_err(|e: toml::de::Error| ManifestError::Syntax { reason: e.to_string() })?;
        let top = Section { prefix: "", table: Some(&table) };
        top.allow(&["argv", "env", "pass_env", "health", "stop", "restart"])?;
        Ok(Self {
            argv: argv(&top)?,
            env: environment(&top)?,
            pass_env: top.strings("pass_env", VARIABLE_NAMES)?.unwrap_or_default(),
            health: health(&top.section("health.")?)?,
            grace: stop_grace(&top.section("stop.")?)?,
            restart: restart(&top.section("restart.")?)?,
        })
    }
}

const ARGV: &str =
    "a list with the program and its arguments, such as [\"./server\", \"--port\", \"{port}\"]";
const VARIABLE_NAMES: &str = "a list of variable names";
const VARIABLES: &str = "a table of texts";
const PATH: &str = "a path beginning with `/`, without spaces";
const PERIOD: &str = "a length of time such as \"300ms\", \"10s\" or \"1m30s\"";
const COUNT: &str = "a whole number from 1 to 1000";

fn argv(top: &Section<'_>) -> Result<Vec<String>, ManifestError> {
    let Some(argv) = top.strings("argv", ARGV)? else {
        return Err(top.missing("argv", ARGV));
    };
    match argv.first() {
        Some(program) if !program.is_empty() && argv.iter().all(|word| !word.contains('\0')) => Ok(argv),
        _ => Err(top.refuse("argv", &format!("{argv:?}"), ARGV)),
    }
}

fn environment(top: &Section<'_>) -> Result<BTreeMap<String, String>, ManifestError> {
    let env = top.section("env.")?;
    let Some(table) = env.table else {
        return Ok(BTreeMap::new());
    };
    let mut variables = BTreeMap::new();
    for (name, value) in table {
        let text = value.as_str().filter(|text| !text.contains('\0'));
        let usable_name = !name.is_empty() && !name.contains(['=', '\0']);
        match text {
            Some(text) if usable_name => variables.insert(name.clone(), text.to_owned()),
            _ => return Err(env.refuse(name, &value.to_string(), VARIABLES)),
        };
    }
    Ok(variables)
}

fn health(section: &Section<'_>) -> Result<HealthRules, ManifestError> {
    section.allow(&["path", "interval", "timeout", "failures", "ready_within"])?;
    let Some(path) = section.text("path", PATH)? else {
        return Err(section.missing("path", PATH));
    };
    if !path.starts_with('/') || path.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(section.refuse("path", &format!("{path:?}"), PATH));
    }
    Ok(HealthRules {
        path: path.to_owned(),
        interval: section.period("interval", Period::from_millis(200))?,
        timeout: section.period("timeout", Period::from_millis(300))?,
        failures: section.count("failures", 2)?,
        ready_within: section.period("ready_within", Period::from_secs(30))?,
    })
}

fn stop_grace(section: &Section<'_>) -> Result<Period, ManifestError> {
    section.allow(&["grace"])?;
    section.period("grace", Period::from_secs(10))
}

fn restart(section: &Section<'_>) -> Result<RestartRules, ManifestError> {
    section.allow(&["backoff", "backoff_max", "crash_loop_exits", "crash_loop_within"])?;
    Ok(RestartRules {
        backoff: section.period("backoff", Period::from_millis(100))?,
        backoff_max: section.period("backoff_max", Period::from_secs(10))?,
        crash_loop_exits: section.count("crash_loop_exits", 3)?,
        crash_loop_within: section.period("crash_loop_within", Period::from_secs(30))?,
    })
}

/// One table of the manifest and the dotted prefix of its keys.
struct Section<'a> {
    prefix: &'static str,
    table: Option<&'a Table>,
}

impl<'a> Section<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.table?.get(key)
    }

    fn section(&self, prefix: &'static str) -> Result<Self, ManifestError> {
        let key = prefix.trim_end_matches('.');
        match self.get(key) {
            None => Ok(Self { prefix, table: None }),
            Some(Value::Table(table)) => Ok(Self { prefix, table: Some(table) }),
            Some(other) => Err(self.refuse(key, &other.to_string(), "a table")),
        }
    }

    fn allow(&self, known: &[&str]) -> Result<(), ManifestError> {
        let unknown = self.table.into_iter().flat_map(Table::keys).find(|key| !known.contains(&key.as_str()));
        match unknown {
            None => Ok(()),
            Some(key) => {
                let key = format!("{}{key}", self.prefix);
                Err(ManifestError::UnknownKey { key, allowed: known.join(", ") })
            }
        }
    }

    fn text(&self, key: &str, allowed: &'static str) -> Result<Option<&'a str>, ManifestError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.refuse(key, &other.to_string(), allowed)),
        }
    }

    fn strings(&self, key: &str, allowed: &'static str) -> Result<Option<Vec<String>>, ManifestError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let words = value.as_array().and_then(|words| words.iter().map(text_of).collect());
        words.map(Some).ok_or_else(|| self.refuse(key, &value.to_string(), allowed))
    }

    fn period(&self, key: &str, default: Period) -> Result<Period, ManifestError> {
        let Some(text) = self.text(key, PERIOD)? else {
            return Ok(default);
        };
        match text.parse::<Period>() {
            Ok(period) if period.as_millis() > 0 => Ok(period),
            _ => Err(self.refuse(key, &format!("{text:?}"), PERIOD)),
        }
    }

    fn count(&self, key: &str, default: u32) -> Result<u32, ManifestError> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
        number
            .filter(|number| (1..=1000).contains(number))
            .ok_or_else(|| self.refuse(key, &value.to_string(), COUNT))
    }

    fn missing(&self, key: &str, allowed: &'static str) -> ManifestError {
        ManifestError::MissingKey { key: format!("{}{key}", self.prefix), allowed }
    }

    fn refuse(&self, key: &str, value: &str, allowed: &'static str) -> ManifestError {
        ManifestError::Value { key: format!("{}{key}", self.prefix), value: value.to_owned(), allowed }
    }
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
