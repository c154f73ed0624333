//! What a staged release gets beside its image.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a staged release gets beside its image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// Environment variables, set or replaced by name.
    pub env: BTreeMap<String, EnvValue>,
    /// Objects whose every key becomes an environment variable, added when they are missing.
    pub env_from: Vec<EnvFrom>,
}

/// Where the value of an environment variable comes from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum EnvValue {
    /// From here. Everybody who may read the Deployment can read it, so it is no place for a secret.
    Value(String),
    /// From a key of a ConfigMap.
    ConfigMap {
        /// The ConfigMap.
        name: String,
        /// The key.
        key: String,
    },
    /// From a key of a Secret.
    Secret {
        /// The Secret.
        name: String,
        /// The key.
        key: String,
    },
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(..)"),
            Self::ConfigMap { name, key } => write!(f, "ConfigMap({name}/{key})"),
            Self::Secret { name, key } => write!(f, "Secret({name}/{key})"),
        }
    }
}

/// An object whose every key becomes an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum EnvFrom {
    /// A ConfigMap by name.
    ConfigMap(String),
    /// A Secret by name.
    Secret(String),
}
