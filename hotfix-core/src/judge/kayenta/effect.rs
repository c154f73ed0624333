//! How large a difference is.

use super::words::Measure;

/// Measures the difference; `None` when it cannot be measured.
pub(super) fn effect(measure: &Measure, experiment: &[f64], control: &[f64]) -> Option<f64> {
    match measure {
        Measure::Cles => Some(cles(experiment, control)),
        Measure::MeanRatio | Measure::Unknown(_) => mean_ratio(experiment, control),
    }
}

/// The measure of no difference.
pub(super) const fn no_effect(measure: &Measure) -> f64 {
    match measure {
        Measure::Cles => 0.5,
        Measure::MeanRatio | Measure::Unknown(_) => 1.0,
    }
}

/// The experiment's mean divided by the control's; `None` when one of them is 0 or both are beyond all numbers.
pub(super) fn mean_ratio(experiment: &[f64], control: &[f64]) -> Option<f64> {
    let (above, below) = (mean(experiment), mean(control));
    (above != 0.0 && below != 0.0).then(|| above / below).filter(|ratio| !ratio.is_nan())
}

/// The mean, with the rounding of the first pass made good by a second.
pub(super) fn mean(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let rough = values.iter().sum::<f64>() / count;
    rough + values.iter().map(|value| value - rough).sum::<f64>() / count
}

/// In which share of all pairs the experiment's value is the larger, ties as half (Vargha and Delaney, 2000).
fn cles(experiment: &[f64], control: &[f64]) -> f64 {
    let mut sorted = control.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let wins = |value: &f64| {
        let below = sorted.partition_point(|other| other < value);
        let not_above = sorted.partition_point(|other| other <= value);
        (below + not_above) as f64 / 2.0
    };
    experiment.iter().map(wins).sum::<f64>() / (experiment.len() as f64 * sorted.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_of_small_samples_are_those_on_paper() {
        let (one_to_three, two_to_four) = ([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]);
        assert_eq!(cles(&one_to_three, &one_to_three), 0.5);
        assert_eq!(cles(&two_to_four, &one_to_three), 7.0 / 9.0);
        assert_eq!(cles(&[9.0], &one_to_three), 1.0);
        assert_eq!(mean_ratio(&two_to_four, &one_to_three), Some(1.5));
        assert_eq!(mean_ratio(&[0.0], &one_to_three), None);
        assert_eq!(mean_ratio(&one_to_three, &[-1.0, 1.0]), None);
        assert_eq!(mean_ratio(&[f64::MAX, f64::MAX], &[f64::MAX, 1e308]), None);
    }
}
