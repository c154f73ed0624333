//! A canary config as Kayenta and Spinnaker store it, as far as a judge needs it.
//!
//! Queries, templates, scopes and whatever else is for other parts of Kayenta are not looked at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words::{Direction, Measure, NanStrategy, OutlierStrategy};

/// How a canary is judged: its metrics, and how they add up to a score.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryConfig {
    /// Which judge the config was written for; none means this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeName>,
    /// The metrics; their names are unique.
    pub metrics: Vec<MetricConfig>,
    /// Weights and thresholds.
    #[serde(default)]
    pub classifier: ClassifierConfig,
}

/// The judge of a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeName {
    /// `NetflixACAJudge-v1.0`, the only one there is.
    pub name: String,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricConfig {
    /// Its name, by which it is found among the metric sets.
    pub name: String,
    /// The groups it counts in. A metric in no group counts in no score; it can still fail the canary as a critical one.
    #[serde(default)]
    pub groups: Vec<String>,
    /// How it is judged.
    #[serde(default)]
    pub analysis_configurations: AnalysisConfigurations,
}

impl MetricConfig {
    /// Returns how the metric is judged.
    #[must_use]
    pub const fn analysis(&self) -> &CanaryAnalysis {
        &self.analysis_configurations.canary
    }
}

/// The layer between a metric and how it is judged that Kayenta's format has.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AnalysisConfigurations {
    /// How the metric is judged.
    #[serde(default)]
    pub canary: CanaryAnalysis,
}

/// How a metric is judged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CanaryAnalysis {
    /// Which change is bad.
    pub direction: Direction,
    /// What becomes of missing values.
    pub nan_strategy: NanStrategy,
    /// What becomes of outliers.
    pub outliers: Outliers,
    /// Whether the metric alone can fail the canary.
    pub critical: bool,
    /// Whether missing data fails the metric (and not the canary, unless it is critical).
    pub must_have_data: bool,
    /// Whether the metric is reported only.
    pub muted: bool,
    /// How large a difference must be.
    pub effect_size: EffectSize,
    /// Fields that Kayenta does not have. They change nothing and are reported as a [`Note`](super::Note).
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// What becomes of outliers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Outliers {
    /// Whether they are removed.
    pub strategy: OutlierStrategy,
    /// How many times the distance between the quartiles a value must lie beyond them: 3.
    pub outlier_factor: f64,
    /// Fields that Kayenta does not have.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

impl Default for Outliers {
    fn default() -> Self {
        Self { strategy: OutlierStrategy::Keep, outlier_factor: 3.0, unknown: BTreeMap::new() }
    }
}

/// How large a difference must be. What is left out is the measure of no difference: 1 for the ratio of means, 0.5 for
/// the common language effect size.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EffectSize {
    /// What is measured.
    pub measure: Measure,
    /// From where on an increase fails the metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_increase: Option<f64>,
    /// From where downwards a decrease fails the metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_decrease: Option<f64>,
    /// From where on an increase of a critical metric fails the canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_increase: Option<f64>,
    /// From where downwards a decrease of a critical metric fails the canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_decrease: Option<f64>,
    /// Fields that Kayenta does not have.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// How the metrics add up to a score.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClassifierConfig {
    /// The weights of the groups in percent. Groups without one share what is left of 100.
    pub group_weights: BTreeMap<String, f64>,
    /// What a score is called. Kayenta takes this from the request of a run instead, which may be given here too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_thresholds: Option<ScoreThresholds>,
}

/// From which score on a canary passes, and from which on it is marginal. Below both it fails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreThresholds {
    /// Above 0 and not above 100.
    pub pass: f64,
    /// Not above `pass`.
    pub marginal: f64,
}
