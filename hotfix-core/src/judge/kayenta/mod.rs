//! The judge of Kayenta, Spinnaker's canary analysis, for those who have canary configs and trust its answers:
//! `NetflixACAJudge-v1.0` without its defects.
//!
//! It looks once, at the end of a canary of hours. The sequential judge beside it is what a hotfix wants: at hotfix
//! scale (10 % of 50 requests a second, 50 values in 12 minutes) this one finds a tenfold rise of a 0.1 % error rate in
//! one run out of ten; the sequential one finds it in ten scrapes of 15 seconds at the median.
//!
//! # What is done
//! 1. The values of both sides are paired by name and tags ([`pair`]); missing ones are NaN.
//! 2. NaN is removed or replaced by 0, then outliers are removed if the metric says so: beyond the quartiles by more
//!    than `outlierFactor` times their distance, and beyond the 1st and 99th percentile (R's type 7).
//! 3. The Mann-Whitney test ([`mann_whitney()`]) gives a 98 % interval of the shift between the sides ([`shift()`]). The
//!    metric is `High` or `Low` when the interval is further from 0 than a quarter of the estimated shift and the effect
//!    is as large as the metric asks; `Pass` otherwise; `Nodata`, `NodataFailMetric` or `Error` when there is no test.
//! 4. A group's score is the share of its metrics that pass. The score is the mean of the groups by weight, 0 when a
//!    critical metric fails or half the metrics have no data, and the thresholds give it its name ([`judge`]).
//!
//! # Where it differs from Kayenta, on purpose
//! | Kayenta | here | why |
//! |---|---|---|
//! | an `Error` counts nowhere: if all metrics are errors the score is 100 | a failed metric; critical if the metric is | what could not be tested did not pass |
//! | two different constant samples get random noise | the shift is the difference of the constants, exactly; one value a side stays an `Error` | the same data give the same answer; it is the limit for small noise |
//! | the weight of a group without a metric is lost: the best score of 50/50 with one of them empty is 50 | it goes to the other groups in proportion | nothing was found wrong |
//! | `nanStrategy` `replace` and no values at all: `Pass`, for critical metrics and such with `mustHaveData` too | `Nodata` and critical, or `NodataFailMetric`; a metric with neither passes as in Kayenta | no data is not a pass |
//! | a metric of the config without values is not judged | `Nodata`, whatever its `nanStrategy` is | no data is not a pass |
//! | with a threshold of 0 a critical failure passes | thresholds of 0 for a pass are refused, and a critical failure or too little data is a `Fail` under any | a failure is not a pass |
//! | infinite values give whatever the arithmetic makes of them | an `Error` | an answer must mean something |
//! | of metric sets with the same tags the first counts; beside an untagged set tagged ones do not | the former is refused, the latter count | data are not dropped in silence |
//! | an unknown metric, two metrics with one name, weights above 100, an `outlierFactor` of 0: an exception or an odd score | [`InvalidCase`] | a mistake has a name |
//! | unknown words and fields are read as the default, in silence | the same, with a [`Note`] | a typo has a name |
//! | pairs and groups come in the order of a hash | by name and tags | the same data give the same bytes |
//!
//! # What is kept although it is weak
//! - Root finding stops within 0.0001 *of the metric's own unit*, and a shift below that is noise. Feed percent or
//!   milliseconds, not fractions or seconds.
//! - The normal approximation with few values: of two values a side 12 % are `High` without a difference and as many
//!   `Low`, of three 2.5 % each.
//! - The margin of a quarter is of the estimated shift, not of the control: it asks for certainty, not for size.
//!   `allowedIncrease` and `allowedDecrease` ask for size.
//! - The ratio of means is turned around by negative means. Use `cles` for metrics that can be negative.
//! - A group of which all metrics lack data counts as 100 (while fewer than half of all do), and one that is in no group
//!   counts in no score.
//! - Looking again and again is not allowed for: every further look can find a difference that is not there.
//!
//! # Example
//! ```
//! use hotfix_core::judge::kayenta::{CanaryConfig, MetricSetPair, Summary, judge};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config: CanaryConfig = serde_json::from_str(
//!     r#"{
//!         "metrics": [{
//!             "name": "errors",
//!             "groups": ["requests"],
//!             "analysisConfigurations": { "canary": { "direction": "increase", "critical": true } }
//!         }],
//!         "classifier": { "scoreThresholds": { "pass": 75, "marginal": 50 } }
//!     }"#,
//! )?;
//! let pairs: Vec<MetricSetPair> = serde_json::from_str(
//!     r#"[{ "name": "errors", "values": {
//!         "control": [1.0, 1.2, 0.9, 1.1, 1.3, 1.0], "experiment": [5.1, 4.8, 5.5, "NaN", 5.0, 5.2]
//!     }}]"#,
//! )?;
//! let judgement = judge(&config, config.thresholds()?, &pairs)?;
//! assert_eq!(judgement.score.classification, Summary::Fail);
//! assert_eq!(
//!     judgement.score.classification_reason,
//!     "critical metric errors is High: the experiment is higher than the control, critically"
//! );
//! # Ok(())
//! # }
//! ```

mod check;
mod classify;
mod clean;
mod config;
mod effect;
mod mann_whitney;
mod metric_set;
mod normal;
mod pair;
mod result;
mod score;
mod values;
mod words;
mod zeroin;

pub use check::{InvalidCase, JUDGE_NAME, Note};
pub use config::{
    AnalysisConfigurations, CanaryAnalysis, CanaryConfig, ClassifierConfig, EffectSize, JudgeName,
    MetricConfig, Outliers, ScoreThresholds,
};
pub use mann_whitney::{Incomparable, RankTest, Shift, mann_whitney, shift};
pub use metric_set::{MetricSet, MetricSetPair, PairedValues, Side, Tags};
pub use pair::pair;
pub use result::{Classification, GroupScore, Judgement, MetricResult, Reason, Score, Statistics, Summary};
pub use words::{Direction, Measure, NanStrategy, OutlierStrategy};

/// The name under which this judge answers: the compatible one, with the differences above.
pub const JUDGEMENT_BY: &str = "hotfix/NetflixACAJudge-v1.0";

/// Judges a canary. The answer depends on the arguments only.
///
/// # Errors
/// [`InvalidCase`] when the config or the thresholds make no sense, or there are values of a metric the config does not
/// have. Never read it as a pass.
pub fn judge(
    config: &CanaryConfig,
    thresholds: ScoreThresholds,
    pairs: &[MetricSetPair],
) -> Result<Judgement, InvalidCase> {
    config.check()?;
    thresholds.check()?;
    let classify = |pair: &MetricSetPair| {
        let metric = config.metrics.iter().find(|metric| metric.name == pair.name);
        let unknown = || InvalidCase::UnknownMetric { metric: pair.name.clone() };
        Ok(classify::classify(metric.ok_or_else(unknown)?, pair.tags.clone(), &pair.values))
    };
    let mut results: Vec<MetricResult> = pairs.iter().map(classify).collect::<Result<_, InvalidCase>>()?;
    let has_values = |metric: &&MetricConfig| pairs.iter().any(|pair| pair.name == metric.name);
    results.extend(config.metrics.iter().filter(|metric| !has_values(metric)).map(classify::absent));
    let (group_scores, score) = score::score(&config.classifier, thresholds, &results);
    Ok(Judgement { judge_name: JUDGEMENT_BY, results, group_scores, score, notes: config.notes() })
}
