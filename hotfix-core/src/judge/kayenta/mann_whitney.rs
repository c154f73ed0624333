//! The Mann-Whitney test of two samples, and by how much one lies above the other: the interval of shifts that the test
//! does not reject.

use thiserror::Error;

use super::normal::{both_tails, quantile_of_both_tails};
use super::zeroin::{self, Point};

/// Why two samples cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Incomparable {
    /// A sample holds no value.
    #[error("a side has no values")]
    Empty,
    /// A sample holds an infinite value or one that is not a number, or the two are too far apart for a number.
    #[error("a value or a difference of two is not a finite number")]
    NotFinite,
    /// There is nothing to rank: every value is the same once the samples are laid over each other.
    #[error("all values are tied")]
    AllTied,
}

/// By how much the experiment lies above the control. To Kayenta's precision, which is 0.0001 in the metric's own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The smallest shift that the test does not reject.
    pub lower: f64,
    /// The largest shift that the test does not reject.
    pub upper: f64,
    /// The Hodges-Lehmann estimate: the median of all differences between a value of the one and of the other.
    pub estimate: f64,
}

/// What the Mann-Whitney test says of two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankTest {
    /// U of the first sample: in how many pairs its value is the larger; ties count half.
    pub u: f64,
    /// The two-sided p-value by the normal approximation, corrected for ties and continuity.
    pub p: f64,
}

/// Tests whether two samples come from the same distribution.
///
/// It is `scipy.stats.mannwhitneyu(x, y, method="asymptotic")` and R's `wilcox.test(x, y, exact = FALSE)`.
///
/// # Errors
/// [`Incomparable`] when a sample is empty or holds what is not finite, or all values are the same.
pub fn mann_whitney(x: &[f64], y: &[f64]) -> Result<RankTest, Incomparable> {
    let samples = Samples::new(x, y)?;
    let ranks = samples.ranks(0.0);
    let sigma = samples.sigma(ranks)?;
    let u = ranks.excess + samples.pairs() / 2.0;
    Ok(RankTest { u, p: both_tails((ranks.excess.abs() - 0.5) / sigma) })
}

/// Returns by how much the experiment lies above the control, with an interval of that confidence (0.98 in Kayenta).
///
/// It is R's `wilcox.test(experiment, control, conf.int = TRUE, exact = FALSE)` with the continuity correction kept for
/// the estimate. The normal approximation is used however small the samples are: with two values a side the interval
/// leaves out the truth far more often than it says.
///
/// # Errors
/// [`Incomparable`]; all values are tied when both samples are constant.
pub fn shift(experiment: &[f64], control: &[f64], confidence: f64) -> Result<Shift, Incomparable> {
    let samples = Samples::new(experiment, control)?;
    let z = quantile_of_both_tails(1.0 - confidence);
    Ok(Shift { lower: samples.shift_at(z)?, upper: samples.shift_at(-z)?, estimate: samples.shift_at(0.0)? })
}

/// Two samples, each in order.
struct Samples {
    x: Vec<f64>,
    y: Vec<f64>,
}

/// What the ranks of two samples say.
#[derive(Debug, Clone, Copy)]
struct Ranks {
    /// By how much U of the first sample is above its expectation.
    excess: f64,
    /// `Σ(t³ − t)` over the sizes of all groups of tied values.
    ties: f64,
}

impl Samples {
    fn new(x: &[f64], y: &[f64]) -> Result<Self, Incomparable> {
        let sorted = |values: &[f64]| {
            if values.is_empty() {
                return Err(Incomparable::Empty);
            }
            let mut values = values.to_vec();
            values.sort_unstable_by(f64::total_cmp);
            // The order puts what is not finite at an end.
            if is_finite(&values) { Ok(values) } else { Err(Incomparable::NotFinite) }
        };
        Ok(Self { x: sorted(x)?, y: sorted(y)? })
    }

    fn pairs(&self) -> f64 {
        self.x.len() as f64 * self.y.len() as f64
    }

    /// Ranks the first sample, moved down by `shift`, together with the second. Moving keeps the order, so one pass over
    /// both is enough.
    fn ranks(&self, shift: f64) -> Ranks {
        let (mut i, mut j) = (0, 0);
        let mut ranks = Ranks { excess: -self.pairs() / 2.0, ties: 0.0 };
        let moved = |i: usize| self.x.get(i).map_or(f64::INFINITY, |x| x - shift);
        let other = |j: usize| self.y.get(j).copied().unwrap_or(f64::INFINITY);
        while i < self.x.len() || j < self.y.len() {
            let value = moved(i).min(other(j));
            let (from_x, from_y) = (i, j);
            while i < self.x.len() && moved(i) <= value {
                i += 1;
            }
            while j < self.y.len() && other(j) <= value {
                j += 1;
            }
            let (in_x, in_y) = ((i - from_x) as f64, (j - from_y) as f64);
            ranks.excess += in_x * (from_y as f64 + in_y / 2.0);
            let tied = in_x + in_y;
            ranks.ties += tied * tied * tied - tied;
        }
        ranks
    }

    /// The standard deviation of U under the hypothesis of no difference, given the ties.
    fn sigma(&self, ranks: Ranks) -> Result<f64, Incomparable> {
        let all = (self.x.len() + self.y.len()) as f64;
        let variance = self.pairs() / 12.0 * ((all + 1.0) - ranks.ties / (all * (all - 1.0)));
        if variance > 0.0 { Ok(variance.sqrt()) } else { Err(Incomparable::AllTied) }
    }

    /// The standardised U with the first sample moved down by `shift`; it falls as the shift grows, in steps.
    fn score(&self, shift: f64) -> Result<f64, Incomparable> {
        let ranks = self.ranks(shift);
        let correction = if ranks.excess == 0.0 { 0.0 } else { 0.5_f64.copysign(ranks.excess) };
        Ok((ranks.excess - correction) / self.sigma(ranks)?)
    }

    /// The shift at which the standardised U is `z`: between what puts the first sample wholly above the second and
    /// what puts it wholly below, and one of the two when it is reached nowhere in between.
    fn shift_at(&self, z: f64) -> Result<f64, Incomparable> {
        let ends = [self.x[0] - self.y[self.y.len() - 1], self.x[self.x.len() - 1] - self.y[0]];
        if !is_finite(&ends) || !(ends[1] - ends[0]).is_finite() {
            return Err(Incomparable::NotFinite);
        }
        let score = |at| self.score(at).map(|score| score - z);
        let point = |at| score(at).map(|value| Point { at, value });
        let (low, high) = (point(ends[0])?, point(ends[1])?);
        if low.value <= 0.0 {
            Ok(low.at)
        } else if high.value >= 0.0 {
            Ok(high.at)
        } else {
            zeroin::root(low, high, score)
        }
    }
}

fn is_finite(sorted: &[f64]) -> bool {
    sorted.first().is_some_and(|first| first.is_finite())
        && sorted.last().is_some_and(|last| last.is_finite())
}
