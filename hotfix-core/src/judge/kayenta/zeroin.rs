//! Finding a root without derivatives, as Brent does it: inverse interpolation while that is sure to gain, bisection
//! otherwise.
//!
//! R. P. Brent, *Algorithms for Minimization without Derivatives* (1973), chapter 4, with the tests for a good step of
//! Forsythe, Malcolm and Moler's `ZEROIN` (1977) — the form in which R and Kayenta have it.

/// How wide the bracket may be in the end. It is Kayenta's, and coarse on purpose: the function is a staircase, and the
/// answer says on which side of which step it stopped.
const TOLERANCE: f64 = 1e-4;

/// A bracketed root is found long before; this ends the search where there is none.
const MOST_STEPS: usize = 1000;

/// A place and the function's value there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) at: f64,
    pub(super) value: f64,
}

/// Where the search stands: the best point, the one before it, and one on the other side of the root.
#[derive(Debug, Clone, Copy)]
struct Bracket {
    last: Point,
    best: Point,
    opposite: Point,
}

/// Returns a place at most [`TOLERANCE`] away from where `f` changes its sign between `low` and `high`.
pub(super) fn root<E>(low: Point, high: Point, mut f: impl FnMut(f64) -> Result<f64, E>) -> Result<f64, E> {
    if let Some(end) = [low, high].into_iter().find(|end| end.value == 0.0) {
        return Ok(end.at);
    }
    let mut bracket = Bracket { last: low, best: high, opposite: low };
    for _ in 0..MOST_STEPS {
        let before = bracket.best.at - bracket.last.at;
        bracket.put_best_first();
        let tolerance = 2.0 * f64::EPSILON * bracket.best.at.abs() + TOLERANCE / 2.0;
        let half = (bracket.opposite.at - bracket.best.at) / 2.0;
        if half.abs() <= tolerance || bracket.best.value == 0.0 {
            break;
        }
        let step = bracket.interpolated(before, tolerance).unwrap_or(half);
        let step = if step.abs() < tolerance { tolerance.copysign(step) } else { step };
        let at = bracket.best.at + step;
        bracket.move_to(Point { at, value: f(at)? });
    }
    Ok(bracket.best.at)
}

impl Bracket {
    fn put_best_first(&mut self) {
        if self.opposite.value.abs() < self.best.value.abs() {
            (self.last, self.best, self.opposite) = (self.best, self.opposite, self.best);
        }
    }

    /// The step to where a line through two points, or an inverse parabola through three, crosses zero. `None` when it
    /// would not stay well inside the bracket, or the steps do not shrink fast enough to beat halving.
    fn interpolated(&self, before: f64, tolerance: f64) -> Option<f64> {
        let Self { last, best, opposite } = *self;
        if before.abs() < tolerance || last.value.abs() <= best.value.abs() {
            return None;
        }
        let width = opposite.at - best.at;
        let shrunk = best.value / last.value;
        let (over, under) = if last.at == opposite.at {
            (width * shrunk, 1.0 - shrunk)
        } else {
            let (across, to_opposite) = (last.value / opposite.value, best.value / opposite.value);
            let over = shrunk
                * (width * across * (across - to_opposite) - (best.at - last.at) * (to_opposite - 1.0));
            (over, (across - 1.0) * (to_opposite - 1.0) * (shrunk - 1.0))
        };
        let (over, under) = if over > 0.0 { (over, -under) } else { (-over, under) };
        let stays_inside = over < 0.75 * width * under - (tolerance * under).abs() / 2.0;
        let shrinks = over < (before * under / 2.0).abs();
        (stays_inside && shrinks).then(|| over / under)
    }

    fn move_to(&mut self, next: Point) {
        self.last = self.best;
        self.best = next;
        if next.value * self.opposite.value.signum() > 0.0 {
            self.opposite = self.last;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn find(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
        let point = |at| Point { at, value: f(at) };
        let Ok(found) = root(point(low), point(high), |at| Ok::<_, Infallible>(f(at)));
        found
    }

    #[test]
    fn a_root_is_found_within_the_tolerance() {
        for (found, expected) in [
            (find(|x| x - 0.25, -1.0, 1.0), 0.25),
            (find(|x| x.powi(3) - 2.0, 0.0, 2.0), 2.0_f64.cbrt()),
            (find(|x| (-x).exp() - x, 0.0, 1.0), 0.567_143_290_409_783_8),
            (find(|x| if x < 3.7 { 5.0 } else { -1.0 }, -1000.0, 1000.0), 3.7),
        ] {
            assert!((found - expected).abs() <= TOLERANCE, "{found} instead of {expected}");
        }
    }

    #[test]
    fn a_root_at_an_end_is_that_end() {
        assert_eq!(find(|x| x, 0.0, 5.0), 0.0);
        assert_eq!(find(|x| x - 5.0, 0.0, 5.0), 5.0);
    }

    #[test]
    fn without_a_root_the_search_ends() {
        assert!(find(|x| x * x + 1.0, -1.0, 2.0).is_finite());
    }

    #[test]
    fn a_failing_function_fails_the_search() {
        let ends = [(-1.0, -1.0), (1.0, 1.0)].map(|(at, value)| Point { at, value });
        assert_eq!(root(ends[0], ends[1], |_| Err::<f64, _>("no value")), Err("no value"));
    }
}
