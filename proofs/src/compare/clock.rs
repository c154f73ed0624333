//! Taking times: the one place that reads the clock, and what is made of several readings.

use std::time::{Duration, Instant};

use super::case::Figure;

/// A moment to measure from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "measuring is what this program is for")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn passed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Does something and says how long it took.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let watch = Stopwatch::start();
    let done = work();
    (watch.passed(), done)
}

/// How long one of many repetitions takes in microseconds: the median over rounds, each long enough to be timed.
pub(super) fn micros_each(mut once: impl FnMut()) -> Figure {
    const ROUNDS: usize = 15;
    const ROUND: Duration = Duration::from_millis(60);
    let mut repetitions: u32 = 1;
    while timed(|| (0..repetitions).for_each(|_| once())).0 < ROUND {
        repetitions = repetitions.saturating_mul(2);
    }
    let round = |_| {
        let (took, ()) = timed(|| (0..repetitions).for_each(|_| once()));
        took.as_secs_f64() * 1e6 / f64::from(repetitions)
    };
    Figure { value: median((0..ROUNDS).map(round).collect()), unit: "us" }
}

/// The median of some times, in milliseconds.
pub(super) fn median_millis(times: &[Duration]) -> Figure {
    Figure { value: median(times.iter().map(|time| time.as_secs_f64() * 1e3).collect()), unit: "ms" }
}

/// The median; 0 of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        for (values, middle) in [(vec![], 0.0), (vec![3.0, 1.0, 9.0], 3.0), (vec![4.0, 1.0, 2.0, 9.0], 3.0)] {
            assert!((median(values) - middle).abs() < 1e-12);
        }
    }
}
