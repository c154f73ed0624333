//! The values of a metric: as a metrics service answers them for one side, and side by side.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::values;

/// The tags that tell the metric sets of one metric apart, such as its zone.
pub type Tags = BTreeMap<String, String>;

/// A side of the comparison, in Kayenta's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Without the change: the baseline.
    Control,
    /// With the change: the canary.
    Experiment,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "control",
            Self::Experiment => "experiment",
        })
    }
}

/// The values of a metric on one side, with one set of tags.
///
/// In JSON a value is a number, `"NaN"`, `"Infinity"`, `"-Infinity"`, or `null`, which is NaN.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricSet {
    /// The metric.
    pub name: String,
    /// The tags; none when the metric is not split.
    #[serde(default)]
    pub tags: Tags,
    /// When the first value was taken.
    #[serde(default)]
    pub start_time_millis: u64,
    /// When no more were taken.
    #[serde(default)]
    pub end_time_millis: u64,
    /// The time between two values; 0 when it is not known.
    #[serde(default)]
    pub step_millis: u64,
    /// The values, oldest first. NaN where there is none.
    #[serde(with = "values")]
    pub values: Vec<f64>,
}

impl MetricSet {
    /// Returns how many values there should be; 0 when that is not known.
    #[must_use]
    pub const fn expected_values(&self) -> u64 {
        match self.end_time_millis.saturating_sub(self.start_time_millis).checked_div(self.step_millis) {
            Some(points) => points,
            None => 0,
        }
    }
}

/// The values of a metric on both sides, with the same tags.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct MetricSetPair {
    /// The metric.
    pub name: String,
    /// The tags of both sides.
    #[serde(default)]
    pub tags: Tags,
    /// The values.
    pub values: PairedValues,
}

/// Values of both sides. The two need not be as many.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedValues {
    /// Those without the change.
    #[serde(with = "values")]
    pub control: Vec<f64>,
    /// Those with it.
    #[serde(with = "values")]
    pub experiment: Vec<f64>,
}
