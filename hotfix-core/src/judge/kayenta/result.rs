//! The answer, in the shape of Kayenta's own where that has a place for it.

use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::effect::mean;
use super::mann_whitney::{Incomparable, Shift};
use super::metric_set::Tags;

/// What one metric says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Classification {
    /// No difference that matters.
    Pass,
    /// The experiment is higher.
    High,
    /// The experiment is lower.
    Low,
    /// A side has no data.
    Nodata,
    /// A side has no data, and must have.
    NodataFailMetric,
    /// The sides cannot be compared. It counts as a failed metric.
    Error,
}

impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a metric says what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// A side has no data.
    NoData,
    /// Both sides have the same values.
    Identical,
    /// One side is higher, by the test and by its effect.
    Different {
        /// How the experiment is.
        classification: Classification,
        /// Whether that fails the canary.
        critical: bool,
    },
    /// The sides cannot be compared.
    Incomparable(Incomparable),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData => f.write_str("a side has no data"),
            Self::Identical => f.write_str("both sides have the same values"),
            Self::Different { classification, critical } => {
                let side = if *classification == Classification::High { "higher" } else { "lower" };
                write!(f, "the experiment is {side} than the control")?;
                f.write_str(if *critical { ", critically" } else { "" })
            }
            Self::Incomparable(why) => write!(f, "the sides cannot be compared: {why}"),
        }
    }
}

/// The cleaned values of a side in short; all 0 when there are none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Statistics {
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the sample; 0 for a single value.
    pub std: f64,
    /// How many there are.
    pub count: usize,
}

impl Statistics {
    pub(super) fn of(values: &[f64]) -> Self {
        let Some(&first) = values.first() else { return Self::default() };
        let mean = mean(values);
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let count = values.len();
        Self {
            min: values.iter().copied().fold(first, f64::min),
            max: values.iter().copied().fold(first, f64::max),
            mean,
            std: if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 },
            count,
        }
    }
}

/// What was found for one metric, or for one set of its tags.
///
/// In JSON it has the fields of Kayenta's result: `experimentMetadata.stats`, `controlMetadata.stats` and
/// `resultMetadata.ratio` too. Beside the ratio stand `effectSize`, `lower`, `upper` and `estimate`, each `null` where it
/// could not be computed.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricResult {
    /// The metric.
    pub name: String,
    /// The tags.
    pub tags: Tags,
    /// What it says.
    pub classification: Classification,
    /// Why.
    pub reason: Option<Reason>,
    /// The groups it counts in.
    pub groups: Vec<String>,
    /// Whether it fails the canary by itself.
    pub critical: bool,
    /// Whether it is reported only.
    pub muted: bool,
    /// The cleaned values of the control.
    pub control: Statistics,
    /// The cleaned values of the experiment.
    pub experiment: Statistics,
    /// The ratio of the means; `None` when one of them is 0 or the sides cannot be compared, 1 when no test was needed.
    pub ratio: Option<f64>,
    /// The effect by the metric's measure; `None` without a test or when it cannot be measured.
    pub effect: Option<f64>,
    /// By how much the experiment lies above the control; `None` without a test.
    pub shift: Option<Shift>,
}

impl Serialize for MetricResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("MetricResult", 10)?;
        fields.serialize_field("name", &self.name)?;
        fields.serialize_field("tags", &self.tags)?;
        fields.serialize_field("classification", &self.classification)?;
        fields.serialize_field("classificationReason", &self.reason.map(|reason| reason.to_string()))?;
        fields.serialize_field("groups", &self.groups)?;
        fields.serialize_field("critical", &self.critical)?;
        fields.serialize_field("muted", &self.muted)?;
        fields.serialize_field("experimentMetadata", &json!({ "stats": self.experiment }))?;
        fields.serialize_field("controlMetadata", &json!({ "stats": self.control }))?;
        let shift = |part: fn(&Shift) -> f64| self.shift.as_ref().map(part);
        let metadata = json!({
            "ratio": self.ratio,
            "effectSize": self.effect,
            "lower": shift(|shift| shift.lower),
            "upper": shift(|shift| shift.upper),
            "estimate": shift(|shift| shift.estimate),
        });
        fields.serialize_field("resultMetadata", &metadata)?;
        fields.end()
    }
}

/// How the metrics of a group did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupScore {
    /// The group.
    pub name: String,
    /// The share of its metrics that pass, in percent; 0 when none of them has data.
    pub score: f64,
}

/// What the score means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Summary {
    /// At or above the threshold of a pass.
    Pass,
    /// At or above the marginal threshold.
    Marginal,
    /// Below both, a critical failure, or too little data.
    Fail,
}

/// The score of a canary.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// 0 to 100, rounded to two decimals.
    pub score: f64,
    /// What it means.
    pub classification: Summary,
    /// Why it is 0, if not for the metrics of the groups.
    pub classification_reason: String,
}

/// The answer of the judge.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// [`JUDGEMENT_BY`](super::JUDGEMENT_BY).
    pub judge_name: &'static str,
    /// Each metric, muted ones too: in the order in which the values were given, then those without any.
    pub results: Vec<MetricResult>,
    /// Each group with a metric that is not muted, by name.
    pub group_scores: Vec<GroupScore>,
    /// The score.
    pub score: Score,
    /// What is odd about the config.
    pub notes: Vec<super::Note>,
}
