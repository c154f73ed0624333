//! What one metric says: the comparison of its two sides, and whether that fails the canary by itself.

use super::clean::clean;
use super::config::{CanaryAnalysis, MetricConfig};
use super::effect::{effect, mean_ratio, no_effect};
use super::mann_whitney::{Incomparable, Shift, shift};
use super::metric_set::{PairedValues, Tags};
use super::result::{Classification, MetricResult, Reason, Statistics};
use super::words::{Direction, NanStrategy};

/// Kayenta's fixed settings of the test.
const CONFIDENCE: f64 = 0.98;

/// How far the interval must be from no difference, as a share of the estimated shift. Kayenta's, and fixed.
const TOLERANCE: f64 = 0.25;

/// Judges a metric by its values on both sides.
pub(super) fn classify(metric: &MetricConfig, tags: Tags, values: &PairedValues) -> MetricResult {
    let analysis = metric.analysis();
    let (control, experiment) = (clean(&values.control, analysis), clean(&values.experiment, analysis));
    let finding = find(analysis, &control, &experiment);
    result(metric, tags, finding, [&control, &experiment])
}

/// Judges a metric of the config of which there are no values, not even missing ones.
pub(super) fn absent(metric: &MetricConfig) -> MetricResult {
    result(metric, Tags::new(), no_data(metric.analysis()), [&[], &[]])
}

fn result(metric: &MetricConfig, tags: Tags, finding: Finding, cleaned: [&[f64]; 2]) -> MetricResult {
    let [control, experiment] = cleaned.map(Statistics::of);
    MetricResult {
        name: metric.name.clone(),
        tags,
        classification: finding.classification,
        reason: finding.reason,
        groups: metric.groups.clone(),
        critical: finding.critical,
        muted: metric.analysis().muted,
        control,
        experiment,
        ratio: finding.ratio,
        effect: finding.effect,
        shift: finding.shift,
    }
}

struct Finding {
    classification: Classification,
    reason: Option<Reason>,
    critical: bool,
    ratio: Option<f64>,
    effect: Option<f64>,
    shift: Option<Shift>,
}

impl Finding {
    /// A finding that rests on no test.
    const fn untested(classification: Classification, reason: Option<Reason>, critical: bool) -> Self {
        Self { classification, reason, critical, ratio: Some(1.0), effect: None, shift: None }
    }
}

fn find(analysis: &CanaryAnalysis, control: &[f64], experiment: &[f64]) -> Finding {
    if control.is_empty() || experiment.is_empty() {
        let counts_as_zero = analysis.nan_strategy == NanStrategy::Replace;
        if counts_as_zero && !analysis.critical && !analysis.must_have_data {
            return Finding::untested(Classification::Pass, None, false);
        }
        return no_data(analysis);
    }
    if sorted(control) == sorted(experiment) {
        return Finding::untested(Classification::Pass, Some(Reason::Identical), false);
    }
    if constant(control).is_some() && constant(control) == constant(experiment) {
        return Finding::untested(Classification::Pass, None, false);
    }
    match compare(experiment, control) {
        Ok(shift) => judge_shift(analysis, shift, control, experiment),
        Err(why) => {
            let reason = Some(Reason::Incomparable(why));
            Finding { ratio: None, ..Finding::untested(Classification::Error, reason, analysis.critical) }
        }
    }
}

fn no_data(analysis: &CanaryAnalysis) -> Finding {
    let classification = if analysis.must_have_data && !analysis.critical {
        Classification::NodataFailMetric
    } else {
        Classification::Nodata
    };
    Finding::untested(classification, Some(Reason::NoData), analysis.critical)
}

/// Estimates the shift. Two constant samples of more than one value each or so have nothing to rank; the difference of
/// the two constants is what the test tends to as noise on them gets small.
fn compare(experiment: &[f64], control: &[f64]) -> Result<Shift, Incomparable> {
    match (constant(experiment), constant(control)) {
        (Some(high), Some(low)) if experiment.len() + control.len() > 2 => {
            let shift = high - low;
            if shift.is_finite() {
                Ok(Shift { lower: shift, upper: shift, estimate: shift })
            } else {
                Err(Incomparable::NotFinite)
            }
        }
        _ => shift(experiment, control, CONFIDENCE),
    }
}

fn judge_shift(analysis: &CanaryAnalysis, shift: Shift, control: &[f64], experiment: &[f64]) -> Finding {
    let size = &analysis.effect_size;
    let effect = effect(&size.measure, experiment, control);
    let neutral = no_effect(&size.measure);
    // What cannot be measured is not held against the test.
    let reaches = |limit: Option<f64>| effect.is_none_or(|effect| effect >= limit.unwrap_or(neutral));
    let falls_to = |limit: Option<f64>| effect.is_none_or(|effect| effect <= limit.unwrap_or(neutral));
    let margin = TOLERANCE * shift.estimate.abs();
    let (high_is_bad, low_is_bad) = match analysis.direction {
        Direction::Increase => (true, false),
        Direction::Decrease => (false, true),
        Direction::Either | Direction::Unknown(_) => (true, true),
    };
    let (classification, beyond_critical) =
        if high_is_bad && shift.lower > margin && reaches(size.allowed_increase) {
            (Classification::High, reaches(size.critical_increase))
        } else if low_is_bad && shift.upper < -margin && falls_to(size.allowed_decrease) {
            (Classification::Low, falls_to(size.critical_decrease))
        } else {
            (Classification::Pass, false)
        };
    let critical = analysis.critical && beyond_critical;
    Finding {
        classification,
        reason: (classification != Classification::Pass)
            .then_some(Reason::Different { classification, critical }),
        critical,
        ratio: mean_ratio(experiment, control),
        effect,
        shift: Some(shift),
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The one value a sample consists of.
fn constant(values: &[f64]) -> Option<f64> {
    let first = *values.first()?;
    values.iter().all(|&value| value == first).then_some(first)
}
