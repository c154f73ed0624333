//! Numbers that look random and are the same for the same cell and run, and traffic drawn with them.

use hotfix_core::model::{Counts, InvalidValue};

/// SplitMix64 (Steele, Lea & Flood 2014), with a stream of its own for every run of every cell.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(cell: u64, run: u64) -> Self {
        Self(mix(mix(cell).wrapping_add(run)))
    }

    /// Returns a number from 0 up to, and without, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const fn mix(state: u64) -> u64 {
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A Poisson distribution, drawn from by inverting its table.
pub(super) struct Poisson {
    first: u64,
    cumulative: Vec<f64>,
}

/// Less than this, compared with the likeliest value, is never drawn.
const NEGLIGIBLE: f64 = 1e-18;

impl Poisson {
    pub(super) fn with_mean(mean: f64) -> Self {
        // From the likeliest value outwards, so that no factor leaves the numbers however large the mean is.
        let mode = mean.floor();
        let mut below = vec![];
        let (mut value, mut weight) = (mode, 1.0);
        while value > 0.0 && weight > NEGLIGIBLE {
            weight *= value / mean;
            value -= 1.0;
            below.push(weight);
        }
        let first = value as u64;
        let mut weights: Vec<f64> = below.into_iter().rev().collect();
        let (mut value, mut weight) = (mode, 1.0);
        while weight > NEGLIGIBLE {
            weights.push(weight);
            value += 1.0;
            weight *= mean / value;
        }
        let all: f64 = weights.iter().sum();
        let sums = weights.iter().scan(0.0, |sum, weight| {
            *sum += weight / all;
            Some(*sum)
        });
        Self { first, cumulative: sums.collect() }
    }

    pub(super) fn draw(&self, random: &mut Random) -> u64 {
        let at = random.unit();
        let place = self.cumulative.partition_point(|sum| *sum <= at);
        self.first + place.min(self.cumulative.len() - 1) as u64
    }
}

/// What one side answers in a scrape: requests arrive at random, and a share of them fails.
///
/// Failures come in bursts of a geometric size, each of which falls on one side as a whole: a client that tries again
/// and again. With bursts of 1 every request fails for itself.
pub(crate) struct Side {
    successes: Poisson,
    bursts: Poisson,
    /// The logarithm of the chance that a burst goes on; none when it never does.
    goes_on: Option<f64>,
}

impl Side {
    pub(crate) fn new(requests: f64, rate: f64, burst: f64) -> Self {
        Self {
            successes: Poisson::with_mean(requests * (1.0 - rate)),
            bursts: Poisson::with_mean(requests * rate / burst),
            goes_on: (burst > 1.0).then(|| (-1.0 / burst).ln_1p()),
        }
    }

    pub(crate) fn scrape(&self, random: &mut Random) -> Result<Counts, InvalidValue> {
        let bursts = self.bursts.draw(random);
        let errors = (0..bursts).map(|_| self.size(random)).sum();
        Counts::new(self.successes.draw(random) + errors, errors)
    }

    fn size(&self, random: &mut Random) -> u64 {
        let more = self.goes_on.map_or(0.0, |goes_on| (1.0 - random.unit()).ln() / goes_on);
        1 + more as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of what fails and what is asked in many scrapes.
    fn moments(side: &Side) -> [(f64, f64); 2] {
        const SCRAPES: u64 = 100_000;
        let mut random = Random::new(1, 1);
        let counts: Vec<_> = (0..SCRAPES).map(|_| side.scrape(&mut random).unwrap()).collect();
        [Counts::errors as fn(Counts) -> u64, Counts::requests].map(|what| {
            let mean = counts.iter().map(|c| what(*c) as f64).sum::<f64>() / SCRAPES as f64;
            let squares = counts.iter().map(|c| (what(*c) as f64 - mean).powi(2)).sum::<f64>();
            (mean, squares / SCRAPES as f64)
        })
    }

    #[track_caller]
    fn near(seen: f64, wanted: f64) {
        assert!((seen / wanted - 1.0).abs() < 0.02, "{seen} is not about {wanted}");
    }

    #[test]
    fn failures_and_requests_are_poisson() {
        let [errors, requests] = moments(&Side::new(750.0, 0.01, 1.0));
        near(errors.0, 7.5);
        near(errors.1, 7.5);
        near(requests.0, 750.0);
        near(requests.1, 750.0);
    }

    #[test]
    fn bursts_keep_the_rate_and_spread_it() {
        let [errors, requests] = moments(&Side::new(750.0, 0.01, 5.0));
        near(errors.0, 7.5);
        // A geometric size with mean b has E[s²]/E[s] = 2b − 1.
        near(errors.1, 7.5 * 9.0);
        near(requests.0, 750.0);
    }

    #[test]
    fn everything_or_nothing_fails() {
        let mut random = Random::new(1, 1);
        let all = Side::new(75.0, 1.0, 1.0).scrape(&mut random).unwrap();
        assert_eq!(all.errors(), all.requests());
        assert!(all.requests() > 0);
        assert_eq!(Side::new(75.0, 0.0, 1.0).scrape(&mut random).unwrap().errors(), 0);
    }
}
