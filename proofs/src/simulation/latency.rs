//! How long simulated requests take.

use hotfix_core::model::{Counts, InvalidValue, LatencyBound};

use super::sampling::{Poisson, Random};

/// The default buckets of Prometheus' clients, in seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The spread of the logarithm.
const SIGMA: f64 = 0.6;

/// The medians of a harmless service, one of which each run has, in seconds.
pub(super) const MEDIANS: [f64; 5] = [0.06, 0.085, 0.12, 0.17, 0.24];

/// The requests of one side that are timed, bucket by bucket.
pub(super) struct Timed(Vec<Poisson>);

/// The requests of one scrape by bucket, the unbounded one last.
pub(super) struct Times(Vec<u64>);

impl Timed {
    pub(super) fn new(requests: f64, median: f64) -> Self {
        let below = |bound: f64| below((bound / median).ln() / SIGMA);
        let edges = [0.0].into_iter().chain(BUCKETS.map(below)).chain([1.0]).collect::<Vec<_>>();
        Self(edges.windows(2).map(|edge| Poisson::with_mean(requests * (edge[1] - edge[0]))).collect())
    }

    pub(super) fn draw(&self, random: &mut Random) -> Times {
        Times(self.0.iter().map(|bucket| bucket.draw(random)).collect())
    }
}

impl Times {
    pub(super) fn requests(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The requests beyond each bound, ascending.
    pub(super) fn slower(&self) -> impl Iterator<Item = u64> {
        (1..self.0.len()).map(|above| self.0[above..].iter().sum())
    }

    /// The requests, and those beyond a bound as errors; none for what is not a bound.
    pub(super) fn beyond(&self, over: LatencyBound) -> Result<Counts, InvalidValue> {
        let place = BUCKETS.iter().position(|bound| LatencyBound::from_seconds(*bound) == Ok(over));
        let slower = place.and_then(|place| self.slower().nth(place)).unwrap_or(0);
        Counts::new(self.requests(), slower)
    }
}

pub(super) fn bounds() -> impl Iterator<Item = LatencyBound> {
    BUCKETS.into_iter().filter_map(|bound| LatencyBound::from_seconds(bound).ok())
}

/// The normal distribution (Abramowitz & Stegun 26.2.17, good to 7.5e-8).
fn below(x: f64) -> f64 {
    const FACTORS: [f64; 5] = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series = FACTORS.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    let above = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt() * series;
    if x < 0.0 { above } else { 1.0 - above }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_has_its_known_values() {
        for (x, wanted) in [(0.0, 0.5), (1.0, 0.841_344_746), (-1.0, 0.158_655_254), (2.326_347_874, 0.99)] {
            assert!((below(x) - wanted).abs() < 1e-7, "{x}: {}", below(x));
        }
    }

    #[test]
    fn half_of_the_requests_are_slower_than_the_median() {
        let mut random = Random::new(1, 1);
        let timed = Timed::new(100_000.0, 0.25);
        let times = timed.draw(&mut random);
        let beyond = times.beyond("250ms".parse().unwrap()).unwrap();
        assert!((beyond.requests() as f64 / 1e5 - 1.0).abs() < 0.02);
        assert!((beyond.errors() as f64 / beyond.requests() as f64 - 0.5).abs() < 0.01);
        assert_eq!(times.slower().count(), bounds().count());
    }
}
