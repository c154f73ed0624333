//! Laying the metric sets of both sides beside each other: by name and tags, with NaN where values are missing.

use std::collections::BTreeSet;

use super::check::InvalidCase;
use super::config::CanaryConfig;
use super::metric_set::{MetricSet, MetricSetPair, PairedValues, Side, Tags};

/// More values than a week of seconds are a mistake in a time or a step, and nothing to fill memory with.
const MOST_VALUES: u64 = 604_800;

/// Pairs the metric sets of the two sides for each metric of the config, in its order and then by tags.
///
/// - Metric sets with the same name and tags belong together. One without a partner is paired with NaN.
/// - When one side of a metric has a set without tags and the other has none, that set was empty and could not know its
///   tags: it stands for every set of the other side that has no partner, and gives NaN.
/// - When it is known how many values there should be, what is missing at the end is NaN.
///
/// # Errors
/// [`InvalidCase`] when a side has no set of a metric at all (a metrics service answers an empty one), two with the same
/// tags, or tags that the other side does not have.
pub fn pair(
    config: &CanaryConfig,
    control: &[MetricSet],
    experiment: &[MetricSet],
) -> Result<Vec<MetricSetPair>, InvalidCase> {
    let known = |set: &MetricSet| config.metrics.iter().any(|metric| metric.name == set.name);
    if let Some(unknown) = control.iter().chain(experiment).find(|set| !known(set)) {
        return Err(InvalidCase::UnknownMetric { metric: unknown.name.clone() });
    }
    let mut pairs = Vec::new();
    for metric in &config.metrics {
        let control = Sets::of(&metric.name, Side::Control, control)?;
        let experiment = Sets::of(&metric.name, Side::Experiment, experiment)?;
        control.check_tags(&experiment)?;
        for tags in control.tags_with(&experiment) {
            let values =
                PairedValues { control: control.values(&tags), experiment: experiment.values(&tags) };
            pairs.push(MetricSetPair { name: metric.name.clone(), tags, values });
        }
    }
    Ok(pairs)
}

/// The metric sets of one metric on one side; at least one.
struct Sets<'a> {
    metric: &'a str,
    first: &'a MetricSet,
    sets: Vec<&'a MetricSet>,
}

impl<'a> Sets<'a> {
    fn of(metric: &'a str, side: Side, sets: &'a [MetricSet]) -> Result<Self, InvalidCase> {
        let sets: Vec<&MetricSet> = sets.iter().filter(|set| set.name == metric).collect();
        let Some(&first) = sets.first() else {
            return Err(InvalidCase::NoMetricSet { metric: metric.to_owned(), side });
        };
        let mut seen = BTreeSet::new();
        for set in &sets {
            if !seen.insert(&set.tags) {
                let (metric, tags) = (metric.to_owned(), set.tags.clone());
                return Err(InvalidCase::DuplicateMetricSet { metric, side, tags });
            }
            let points = set.expected_values();
            if points > MOST_VALUES {
                let metric = metric.to_owned();
                return Err(InvalidCase::TooLong { metric, side, points, most: MOST_VALUES });
            }
        }
        Ok(Self { metric, first, sets })
    }

    fn check_tags(&self, other: &Self) -> Result<(), InvalidCase> {
        let keys = |sets: &Self| -> BTreeSet<String> {
            sets.sets.iter().flat_map(|set| set.tags.keys().cloned()).collect()
        };
        let (control, experiment) = (keys(self), keys(other));
        if control.is_empty() || experiment.is_empty() || control == experiment {
            Ok(())
        } else {
            Err(InvalidCase::TagKeys { metric: self.metric.to_owned(), control, experiment })
        }
    }

    fn has_untagged(&self) -> bool {
        self.sets.iter().any(|set| set.tags.is_empty())
    }

    fn tags(&self) -> BTreeSet<Tags> {
        self.sets.iter().map(|set| set.tags.clone()).collect()
    }

    fn tags_with(&self, other: &Self) -> BTreeSet<Tags> {
        match (self.has_untagged(), other.has_untagged()) {
            (true, false) => other.tags(),
            (false, true) => self.tags(),
            _ => self.tags().union(&other.tags()).cloned().collect(),
        }
    }

    /// The values with those tags, or as many NaN as the first set of this side should have.
    fn values(&self, tags: &Tags) -> Vec<f64> {
        let found = self.sets.iter().find(|set| set.tags == *tags);
        let (mut values, set) = match found {
            Some(set) => (set.values.clone(), *set),
            None => (Vec::new(), self.first),
        };
        let expected = usize::try_from(set.expected_values()).unwrap_or(usize::MAX);
        values.resize(expected.max(values.len()), f64::NAN);
        values
    }
}
