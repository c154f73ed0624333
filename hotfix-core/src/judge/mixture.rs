//! Wealth spread over several alternatives: as good as the best of them, at the price of a small factor.

/// A mixture of bets with staggered starts: `Wₓ ← (Wₓ + gᵢ)·factorₓ`, wealth = reserve + mean of `Wₓ`.
///
/// When every factor has an expectation of at most 1 under the hypothesis, the wealth is a supermartingale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mixture(Vec<f64>);

/// Wealth is kept where no later product can leave the numbers. Nothing above 10²⁵⁰ or below its inverse decides
/// anything that was not decided long before.
const RANGE: (f64, f64) = (1e-250, 1e250);

impl Mixture {
    pub(super) fn of(alternatives: usize) -> Self {
        Self(vec![0.0; alternatives])
    }

    pub(super) fn update(&mut self, started: f64, factors: impl Iterator<Item = f64>) {
        for (wealth, factor) in self.0.iter_mut().zip(factors) {
            *wealth = ((*wealth + started) * factor).clamp(RANGE.0, RANGE.1);
        }
    }

    pub(super) fn total(&self, reserve: f64) -> f64 {
        reserve + self.0.iter().sum::<f64>() / self.0.len() as f64
    }
}

/// A mixture of bets that all start at once, kept as logarithms: the wealth may grow without bound.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LogMixture(Vec<f64>);

impl LogMixture {
    pub(super) fn of(alternatives: usize) -> Self {
        Self(vec![0.0; alternatives])
    }

    pub(super) fn update(&mut self, logs: impl Iterator<Item = f64>) {
        for (wealth, log) in self.0.iter_mut().zip(logs) {
            *wealth += log;
        }
    }

    /// Returns the logarithm of the mean wealth.
    pub(super) fn log_wealth(&self) -> f64 {
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mean = self.0.iter().map(|log| libm::exp(log - most)).sum::<f64>() / self.0.len() as f64;
        most + libm::log(mean)
    }
}
