//! The normal distribution: its tails and where they have a given size, with the same digits on every platform.

use std::f64::consts::{PI, SQRT_2};

/// The chance that a standard normal variable is further than `z` from 0, on either side.
pub(super) fn both_tails(z: f64) -> f64 {
    libm::erfc(z / SQRT_2).min(1.0)
}

/// The `z` beyond which a standard normal variable is with that chance, on either side together.
///
/// The starting value is Abramowitz and Stegun 26.2.23, good to 0.00045; each step of Newton's doubles its digits.
pub(super) fn quantile_of_both_tails(chance: f64) -> f64 {
    let t = (-2.0 * libm::log(chance / 2.0)).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let newton = |z: f64, _| z + (both_tails(z) - chance) / (2.0 * density(z));
    (0..4).fold(t - above / below, newton)
}

fn density(z: f64) -> f64 {
    libm::exp(-z * z / 2.0) / (2.0 * PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (chance, z) in [
            (0.05, 1.959_963_984_540_054_5),
            (0.02, 2.326_347_874_040_840_8),
            (0.01, 2.575_829_303_548_901),
            (0.5, 0.674_489_750_196_081_7),
            (1e-9, 6.109_410_204_869_397_5),
        ] {
            let found = quantile_of_both_tails(chance);
            assert!((found - z).abs() < 1e-12, "{found} instead of {z}");
            assert!((both_tails(z) / chance - 1.0).abs() < 1e-12);
        }
        assert_eq!(both_tails(-0.5), 1.0);
    }
}
