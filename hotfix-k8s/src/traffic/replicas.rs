//! Traffic that is shared by the numbers of pods behind one Service, see [`super::ratio`] and [`super::dial`].

use std::fmt;
use std::str::FromStr;

use hotfix_core::model::InvalidValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::backend::{Backend, Means, Reached, RouteName, Site};
use crate::config::{Odd, OnAutoscaler, TargetConfig};
use crate::rights::Feature;

/// The numbers of pods behind one Service, which selects the pods of both slots and gives each the same, so that a slot gets about its share of the
/// pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplicasTraffic {
    /// How many pods there may be beyond those that the workload has outside of a hotfix. Never zero: the other slot
    /// needs a pod before it gets traffic.
    pub max_surge: Allowance,
    /// How many of those may be missing on the way from one share to another.
    pub max_unavailable: Allowance,
}

impl Default for ReplicasTraffic {
    /// As Kubernetes has it for a Deployment.
    fn default() -> Self {
        Self { max_surge: Allowance::Percent(25), max_unavailable: Allowance::Percent(25) }
    }
}

impl Backend for ReplicasTraffic {
    fn route(&self) -> Option<RouteName<'_>> {
        None
    }

    fn reached(&self) -> Reached<'_> {
        Reached::Itself
    }

    /// Checks what the numbers of pods rest on.
    fn check(&self, config: &TargetConfig) -> Result<(), Odd> {
        if self.max_surge.is_zero() {
            let mend = "allow a pod more at least: the other slot needs one before it gets traffic";
            return Err(("traffic.replicas.max_surge", self.max_surge.to_string(), mend));
        }
        if config.on_autoscaler != OnAutoscaler::Refuse {
            let mend = "choose refuse: an autoscaler sets the numbers of pods that the traffic is shared by";
            return Err(("on_autoscaler", format!("{:?}", config.on_autoscaler), mend));
        }
        Ok(())
    }

    fn features(&self) -> Vec<Feature> {
        vec![Feature::ReplicaSets]
    }

    fn means(&self, _site: &Site<'_>) -> Means {
        Means::Pods(*self)
    }
}

/// How far the number of pods may leave the wanted one on the way. Written as in a Deployment: `2` or `"25%"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// That many pods.
    Pods(u32),
    /// That percentage of the wanted number.
    Percent(u8),
}

impl Allowance {
    /// Whether it allows nothing, whatever the number of pods.
    pub(crate) const fn is_zero(self) -> bool {
        matches!(self, Self::Pods(0) | Self::Percent(0))
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods(pods) => write!(f, "{pods}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Allowance {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.strip_suffix('%') {
            Some(number) => number.parse().ok().filter(|percent| *percent <= 100).map(Self::Percent),
            None => text.parse().ok().map(Self::Pods),
        };
        parsed.ok_or_else(|| {
            InvalidValue::new("allowance", text, "a number of pods, or a percentage up to 100%")
        })
    }
}

impl Serialize for Allowance {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pods(pods) => to.serialize_u32(*pods),
            Self::Percent(_) => to.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Allowance {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number of pods such as 2, or a percentage such as \"25%\"")]
        enum Written {
            Number(u32),
            Text(String),
        }
        match Written::deserialize(from)? {
            Written::Number(pods) => Ok(Self::Pods(pods)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowances_are_written_as_in_a_deployment() {
        let text = r#"{"max_surge":2,"max_unavailable":"25%"}"#;
        let read: ReplicasTraffic = serde_json::from_str(text).unwrap();
        let expected =
            ReplicasTraffic { max_surge: Allowance::Pods(2), max_unavailable: Allowance::Percent(25) };
        assert_eq!(read, expected);
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        for odd in [r#"{"max_surge":"101%"}"#, r#"{"max_surge":"many"}"#, r#"{"max_surge":-1}"#] {
            assert!(serde_json::from_str::<ReplicasTraffic>(odd).is_err(), "{odd}");
        }
    }
}
