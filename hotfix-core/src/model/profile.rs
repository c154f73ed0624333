//! The named sets of judge settings, and how they are written: a profile by one word, fields of it by name.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::{InvalidValue, JudgeSettings, Pace, StatisticWeights, Threshold, VerificationRules};

/// A named set of judge settings. All of them bound false rollbacks alike; they differ in what is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Profile {
    /// A canary is good when errors are less than twice as likely on it, or below 0.5 %.
    #[default]
    Standard,
    /// Less than three times as likely, or below 1 %: a third sooner at full traffic. A doubled error rate may pass.
    Fast,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Fast];

    /// Returns the settings that the name stands for.
    #[must_use]
    pub fn settings(self) -> JudgeSettings {
        match self {
            Self::Standard => JudgeSettings::standard(),
            Self::Fast => JudgeSettings::fast(),
        }
    }

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Fast => "fast",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = InvalidValue;

    fn from_str(name: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|profile| profile.as_str() == name);
        found.ok_or_else(|| InvalidValue::new("profile", name, Self::ALL.map(Self::as_str).join(" and ")))
    }
}

impl TryFrom<String> for Profile {
    type Error = InvalidValue;

    fn try_from(name: String) -> Result<Self, InvalidValue> {
        name.parse()
    }
}

impl From<Profile> for VerificationRules {
    fn from(profile: Profile) -> Self {
        Self { judge: profile.settings(), ..Self::default() }
    }
}

/// Some of the judge's settings; the others are those of a profile.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SomeSettings {
    alpha: Option<f64>,
    beta: Option<f64>,
    tolerated_ratio: Option<f64>,
    latency_ratio: Option<f64>,
    harm_ratios: Option<Vec<f64>>,
    stakes: Option<Vec<f64>>,
    log_cap: Option<f64>,
    weights: Option<StatisticWeights>,
    ceiling: Option<f64>,
    floor: Option<f64>,
    bad_ratio: Option<f64>,
    acceptable_rate: Option<f64>,
    health_ratios: Option<Vec<f64>>,
    suspicion: Option<f64>,
    efficacy: Option<f64>,
    planned_scrapes: Option<u32>,
}

impl SomeSettings {
    fn of(self, profile: Profile) -> JudgeSettings {
        let base = profile.settings();
        JudgeSettings {
            alpha: self.alpha.unwrap_or(base.alpha),
            beta: self.beta.unwrap_or(base.beta),
            tolerated_ratio: self.tolerated_ratio.unwrap_or(base.tolerated_ratio),
            latency_ratio: self.latency_ratio.unwrap_or(base.latency_ratio),
            harm_ratios: self.harm_ratios.unwrap_or(base.harm_ratios),
            stakes: self.stakes.unwrap_or(base.stakes),
            log_cap: self.log_cap.or(base.log_cap),
            weights: self.weights.unwrap_or(base.weights),
            ceiling: self.ceiling.unwrap_or(base.ceiling),
            floor: self.floor.or(base.floor),
            bad_ratio: self.bad_ratio.unwrap_or(base.bad_ratio),
            acceptable_rate: self.acceptable_rate.unwrap_or(base.acceptable_rate),
            health_ratios: self.health_ratios.unwrap_or(base.health_ratios),
            suspicion: self.suspicion.unwrap_or(base.suspicion),
            efficacy: self.efficacy.unwrap_or(base.efficacy),
            planned_scrapes: self.planned_scrapes.unwrap_or(base.planned_scrapes),
        }
    }
}

impl From<SomeSettings> for JudgeSettings {
    fn from(some: SomeSettings) -> Self {
        some.of(Profile::Standard)
    }
}

/// The rules as they are written: every part may be left out.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    profile: Profile,
    judge: SomeSettings,
    pace: Pace,
    thresholds: Vec<Threshold>,
}

impl<'de> Deserialize<'de> for VerificationRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenRules)
    }
}

struct WrittenRules;

impl<'de> Visitor<'de> for WrittenRules {
    type Value = VerificationRules;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a profile, or rules by name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<VerificationRules, E> {
        name.parse().map(|profile: Profile| profile.into()).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<VerificationRules, A::Error> {
        let Written { profile, judge, pace, thresholds } =
            Written::deserialize(MapAccessDeserializer::new(map))?;
        Ok(VerificationRules { judge: judge.of(profile), pace, thresholds })
    }
}
