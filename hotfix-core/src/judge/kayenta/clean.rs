//! What is done to the values of a side before they are compared: missing ones first, then outliers.

use super::config::{CanaryAnalysis, Outliers};
use super::words::{NanStrategy, OutlierStrategy};

/// Returns the values that are compared.
pub(super) fn clean(values: &[f64], analysis: &CanaryAnalysis) -> Vec<f64> {
    let present = match analysis.nan_strategy {
        NanStrategy::Replace => {
            values.iter().map(|&value| if value.is_nan() { 0.0 } else { value }).collect()
        }
        NanStrategy::Remove | NanStrategy::Unknown(_) => {
            values.iter().copied().filter(|value| !value.is_nan()).collect()
        }
    };
    match analysis.outliers.strategy {
        OutlierStrategy::Remove => without_outliers(present, &analysis.outliers),
        OutlierStrategy::Keep | OutlierStrategy::Unknown(_) => present,
    }
}

/// Removes what lies beyond the quartiles by more than so many times their distance, but nothing between the 1st and the
/// 99th percentile.
fn without_outliers(mut values: Vec<f64>, outliers: &Outliers) -> Vec<f64> {
    let mut sorted = values.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let [p01, p25, p75, p99] = [1.0, 25.0, 75.0, 99.0].map(|percent| percentile(&sorted, percent));
    let reach = outliers.outlier_factor * (p75 - p25);
    let (low, high) = (p01.min(p25 - reach), p99.max(p75 + reach));
    values.retain(|&value| !(value < low || value > high));
    values
}

/// The percentile of ordered values by linear interpolation between the two nearest: R's type 7, and its default.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = percent / 100.0 * last as f64;
    let below = place.floor();
    let (from, to) = (sorted[below as usize], sorted[(below as usize + 1).min(last)]);
    from + (place - below) * (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outliers(factor: f64) -> Outliers {
        Outliers { strategy: OutlierStrategy::Remove, outlier_factor: factor, ..Outliers::default() }
    }

    #[test]
    fn percentiles_are_those_of_r() {
        let values: Vec<f64> = (0..8).map(|i| f64::from(i) / 2.0).collect();
        for (percent, expected) in [(0.0, 0.0), (5.0, 0.175), (50.0, 1.75), (99.0, 3.465), (100.0, 3.5)] {
            assert!((percentile(&values, percent) - expected).abs() < 1e-12, "{percent} %");
        }
        assert!(percentile(&[], 50.0).is_nan());
        assert_eq!(percentile(&[4.0], 25.0), 4.0);
    }

    #[test]
    fn only_what_is_beyond_the_fence_and_the_outer_percentiles_is_an_outlier() {
        let mut values: Vec<f64> = (1..=200).map(f64::from).collect();
        values.extend([1000.0, -1000.0]);
        let kept = without_outliers(values.clone(), &outliers(3.0));
        assert_eq!(kept, &values[..200]);
        // A narrow fence alone would remove half of these; the percentiles keep all but the two ends.
        let narrow = without_outliers((1..=101).map(f64::from).collect(), &outliers(0.001));
        assert_eq!(narrow.len(), 99);
        assert!(without_outliers(vec![], &outliers(3.0)).is_empty());
        // Of eight values the 99th percentile lies between the two largest, so the largest goes.
        let few = vec![21.0, 23.0, 24.0, 25.0, 50.0, 29.0, 23.0, 21.0];
        assert_eq!(without_outliers(few, &outliers(1.5)), [21.0, 23.0, 24.0, 25.0, 29.0, 23.0, 21.0]);
    }

    #[test]
    fn missing_values_are_removed_or_replaced_before_outliers_are_looked_for() {
        let values = [1.0, f64::NAN, 3.0];
        let mut analysis = CanaryAnalysis::default();
        assert_eq!(clean(&values, &analysis), [1.0, 3.0]);
        analysis.nan_strategy = NanStrategy::Replace;
        assert_eq!(clean(&values, &analysis), [1.0, 0.0, 3.0]);
        let mut mostly_missing = vec![f64::NAN; 9];
        mostly_missing.push(7.0);
        analysis.outliers = outliers(3.0);
        assert_eq!(clean(&mostly_missing, &analysis), [0.0; 9]);
    }
}
