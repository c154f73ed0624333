//! Measures, before a rollout, how bursty the errors of the baseline are.

use crate::model::Dispersion;

/// Fewer points say nothing about a variance.
const LEAST_POINTS: usize = 10;

/// Estimates the dispersion from errors per scrape, oldest first (the last 15 minutes, 60 points, are enough):
/// `φ = max(1, Σ(xᵢ − xᵢ₋₁)² / (2(N−1)·x̄))`, and 1 with fewer than 10 points or without errors.
///
/// The variance comes from differences of neighbours (von Neumann 1941), so that a slow drift of the error rate does
/// not count as burstiness.
#[must_use]
pub fn dispersion(errors: &[u64]) -> Dispersion {
    let points = errors.len() as f64;
    let mean = errors.iter().map(|&x| x as f64).sum::<f64>() / points;
    if errors.len() < LEAST_POINTS || mean <= 0.0 {
        return Dispersion::NONE;
    }
    let square = |step: f64| step * step;
    let squares: f64 = errors.windows(2).map(|pair| square(pair[1].abs_diff(pair[0]) as f64)).sum();
    // Whatever is below 1 is refused, and is 1 then.
    Dispersion::new(squares / (2.0 * (points - 1.0) * mean)).unwrap_or_default()
}
