//! What is wrong with a case, and what is odd about a config that Kayenta would take without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;
use thiserror::Error;

use super::config::{CanaryAnalysis, CanaryConfig, MetricConfig, ScoreThresholds};
use super::metric_set::{Side, Tags};

/// The judge whose configs are understood.
pub const JUDGE_NAME: &str = "NetflixACAJudge-v1.0";

/// Weights that are thirds do not sum to 100 exactly.
const SLACK: f64 = 0.1;

/// Why a case cannot be judged at all. It is never read as a pass.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum InvalidCase {
    /// The config is for another judge.
    #[error("judge.name is {name:?}; the only judge there is is {JUDGE_NAME:?}")]
    Judge {
        /// Its name.
        name: String,
    },
    /// Neither the config nor the caller says from which score on a canary passes.
    #[error("scoreThresholds are missing; give `pass` and `marginal`, for instance 75 and 50")]
    NoThresholds,
    /// The thresholds make no sense.
    #[error(
        "scoreThresholds are pass {pass} and marginal {marginal}; allowed is 0 < pass <= 100 and 0 <= marginal <= pass"
    )]
    Thresholds {
        /// The threshold of a pass.
        pass: f64,
        /// The threshold of a marginal result.
        marginal: f64,
    },
    /// Two metrics have the same name.
    #[error("metrics has two entries named {metric:?}; give each a name of its own")]
    DuplicateMetric {
        /// The name.
        metric: String,
    },
    /// A metric has no name.
    #[error("metrics has an entry with an empty name")]
    Nameless,
    /// A parameter of a metric is not usable.
    #[error("{field} of metric {metric:?} is {value}; allowed are {allowed}")]
    Parameter {
        /// The metric.
        metric: String,
        /// The parameter, by its path.
        field: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// A group has an unusable weight.
    #[error("the weight of group {group:?} is {weight}; allowed are numbers from 0 to 100")]
    Weight {
        /// The group.
        group: String,
        /// Its weight.
        weight: f64,
    },
    /// The weights are more than everything.
    #[error("groupWeights sum to {sum}; they must total 100")]
    Weights {
        /// Their sum.
        sum: f64,
    },
    /// There are values of a metric that the config does not have.
    #[error("there are values of metric {metric:?}, which the config does not have")]
    UnknownMetric {
        /// The metric.
        metric: String,
    },
    /// A side has no metric set of a metric, not even an empty one.
    #[error(
        "there is no {side} metric set of metric {metric:?}; one without values says that there are none"
    )]
    NoMetricSet {
        /// The metric.
        metric: String,
        /// The side.
        side: Side,
    },
    /// A side has two metric sets that cannot be told apart.
    #[error("there are two {side} metric sets of metric {metric:?} with the tags {tags:?}")]
    DuplicateMetricSet {
        /// The metric.
        metric: String,
        /// The side.
        side: Side,
        /// The tags of both.
        tags: Tags,
    },
    /// The two sides are tagged in different ways.
    #[error("metric {metric:?} has the tags {control:?} on the control and {experiment:?} on the experiment")]
    TagKeys {
        /// The metric.
        metric: String,
        /// The tags of the control.
        control: BTreeSet<String>,
        /// The tags of the experiment.
        experiment: BTreeSet<String>,
    },
    /// A metric set says that it should have more values than anybody would look at.
    #[error("a {side} metric set of metric {metric:?} should have {points} values; the most is {most}")]
    TooLong {
        /// The metric.
        metric: String,
        /// The side.
        side: Side,
        /// How many values it should have.
        points: u64,
        /// How many it may have.
        most: u64,
    },
}

/// Something in a config that means nothing, or not what it seems to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// A word that Kayenta does not know.
    UnknownWord {
        /// The metric.
        metric: String,
        /// The parameter, by its path.
        field: &'static str,
        /// The word.
        word: String,
        /// What it is read as.
        read_as: &'static str,
    },
    /// A field that Kayenta does not know.
    UnknownField {
        /// The metric.
        metric: String,
        /// The field, by its path.
        field: String,
    },
    /// A metric that counts in no score.
    NoGroup {
        /// The metric.
        metric: String,
    },
    /// The weights of the groups do not reach 100, so that no score can.
    LowWeights {
        /// Their sum.
        sum: f64,
    },
}

impl CanaryConfig {
    /// Refuses a config that cannot be judged by.
    ///
    /// # Errors
    /// [`InvalidCase`] naming the first such value and what is allowed.
    pub fn check(&self) -> Result<(), InvalidCase> {
        if let Some(judge) = self.judge.as_ref().filter(|judge| judge.name != JUDGE_NAME) {
            return Err(InvalidCase::Judge { name: judge.name.clone() });
        }
        let mut names = BTreeSet::new();
        for metric in &self.metrics {
            metric.check()?;
            if !names.insert(&metric.name) {
                return Err(InvalidCase::DuplicateMetric { metric: metric.name.clone() });
            }
        }
        for (group, &weight) in &self.classifier.group_weights {
            if !(0.0..=100.0).contains(&weight) {
                return Err(InvalidCase::Weight { group: group.clone(), weight });
            }
        }
        let sum: f64 = self.classifier.group_weights.values().sum();
        if sum > 100.0 + SLACK { Err(InvalidCase::Weights { sum }) } else { Ok(()) }
    }

    /// Returns the thresholds of the config.
    ///
    /// # Errors
    /// [`InvalidCase::NoThresholds`] when it has none.
    pub fn thresholds(&self) -> Result<ScoreThresholds, InvalidCase> {
        self.classifier.score_thresholds.ok_or(InvalidCase::NoThresholds)
    }

    /// Returns what means nothing in the config, or not what it seems to.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let mut notes: Vec<Note> = self.metrics.iter().flat_map(MetricConfig::notes).collect();
        let weights = &self.classifier.group_weights;
        let sum: f64 = weights.values().sum();
        let mut groups = self.metrics.iter().flat_map(|metric| &metric.groups);
        if sum < 100.0 - SLACK && !weights.is_empty() && groups.all(|group| weights.contains_key(group)) {
            notes.push(Note::LowWeights { sum });
        }
        notes
    }
}

impl ScoreThresholds {
    /// Refuses thresholds that make no sense.
    ///
    /// # Errors
    /// [`InvalidCase::Thresholds`].
    pub fn check(&self) -> Result<(), InvalidCase> {
        let Self { pass, marginal } = *self;
        if pass > 0.0 && pass <= 100.0 && marginal >= 0.0 && marginal <= pass {
            Ok(())
        } else {
            Err(InvalidCase::Thresholds { pass, marginal })
        }
    }
}

impl MetricConfig {
    fn check(&self) -> Result<(), InvalidCase> {
        if self.name.is_empty() {
            return Err(InvalidCase::Nameless);
        }
        let invalid = |field, value, allowed| {
            Err(InvalidCase::Parameter { metric: self.name.clone(), field, value, allowed })
        };
        let CanaryAnalysis { outliers, effect_size: effect, .. } = self.analysis();
        let factor = outliers.outlier_factor;
        if !(factor > 0.0 && factor.is_finite()) {
            return invalid("canary.outliers.outlierFactor", factor, "numbers above 0");
        }
        let limits = [
            ("canary.effectSize.allowedIncrease", effect.allowed_increase),
            ("canary.effectSize.allowedDecrease", effect.allowed_decrease),
            ("canary.effectSize.criticalIncrease", effect.critical_increase),
            ("canary.effectSize.criticalDecrease", effect.critical_decrease),
        ];
        match limits.into_iter().find_map(|(field, limit)| Some((field, limit.filter(|l| !l.is_finite())?))) {
            Some((field, value)) => invalid(field, value, "finite numbers"),
            None => Ok(()),
        }
    }

    fn notes(&self) -> Vec<Note> {
        let CanaryAnalysis { direction, nan_strategy, outliers, effect_size: effect, .. } = self.analysis();
        let words = [
            ("canary.direction", direction.unknown(), "either"),
            ("canary.nanStrategy", nan_strategy.unknown(), "remove"),
            ("canary.outliers.strategy", outliers.strategy.unknown(), "keep"),
            ("canary.effectSize.measure", effect.measure.unknown(), "meanRatio"),
        ];
        let metric = || self.name.clone();
        let words = words.into_iter().filter_map(|(field, word, read_as)| {
            Some(Note::UnknownWord { metric: metric(), field, word: word?.clone(), read_as })
        });
        let fields = [
            ("canary", &self.analysis().unknown),
            ("canary.outliers", &outliers.unknown),
            ("canary.effectSize", &effect.unknown),
        ];
        let paths = |(path, fields): (&str, &BTreeMap<String, Value>)| -> Vec<String> {
            fields.keys().map(|field| format!("{path}.{field}")).collect()
        };
        let fields = fields.into_iter().flat_map(paths);
        let fields = fields.map(|field| Note::UnknownField { metric: metric(), field });
        let group = self.groups.is_empty().then(|| Note::NoGroup { metric: metric() });
        words.chain(fields).chain(group).collect()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownWord { metric, field, word, read_as } => {
                write!(f, "{field} of metric {metric:?} is {word:?}, which is read as {read_as:?}")
            }
            Self::UnknownField { metric, field } => {
                write!(f, "{field} of metric {metric:?} is no field and changes nothing")
            }
            Self::NoGroup { metric } => write!(f, "metric {metric:?} is in no group and counts in no score"),
            Self::LowWeights { sum } => {
                write!(f, "groupWeights sum to {sum}, and no score can be higher; they should total 100")
            }
        }
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
