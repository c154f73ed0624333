//! What is changed by a run: workloads in environments, and the repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{EnvironmentName, InvalidValue, ServiceName};

/// A workload in an environment, printed `production/shop`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
}

impl Target {
    /// Builds a target.
    #[must_use]
    pub const fn new(environment: EnvironmentName, service: ServiceName) -> Self {
        Self { environment, service }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.environment, self.service)
    }
}

impl FromStr for Target {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (environment, service) = text.split_once('/').ok_or_else(|| {
            InvalidValue::new("target", text, "environment/service, such as production/shop")
        })?;
        Ok(Self::new(environment.parse()?, service.parse()?))
    }
}

impl TryFrom<String> for Target {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

/// What a stamp fences and a run claims.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fenced {
    /// The references that belong to a service in its repository, printed `source/shop`.
    Source(ServiceName),
    /// A workload.
    Workload(Target),
    /// The watch of a workload after a rollout, printed `watch:production/shop`. Nothing is ever sent to it.
    Watch(Target),
}

/// The environment part that [`Fenced::Source`] prints as; a workload cannot be in an environment of that name.
const SOURCE: &str = "source";

/// What [`Fenced::Watch`] prints before its workload; no environment has a colon in its name.
const WATCH: &str = "watch:";

impl fmt::Display for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(service) => write!(f, "{SOURCE}/{service}"),
            Self::Workload(target) => target.fmt(f),
            Self::Watch(target) => write!(f, "{WATCH}{target}"),
        }
    }
}

impl FromStr for Fenced {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if let Some(target) = text.strip_prefix(WATCH) {
            return target.parse().map(Self::Watch);
        }
        let target: Target = text.parse()?;
        Ok(if target.environment.as_str() == SOURCE {
            Self::Source(target.service)
        } else {
            Self::Workload(target)
        })
    }
}

impl TryFrom<String> for Fenced {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Fenced> for String {
    fn from(fenced: Fenced) -> Self {
        fenced.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_print_as_they_parse() {
        for text in ["production/shop", "source/shop", "watch:production/shop"] {
            assert_eq!(text.parse::<Fenced>().unwrap().to_string(), text);
        }
        assert_eq!(
            "shop".parse::<Target>().unwrap_err().to_string(),
            "invalid target \"shop\": allowed are environment/service, such as production/shop"
        );
    }
}
