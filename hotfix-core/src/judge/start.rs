//! When the stake is put in play: harm may begin with the rollout, with a step, or at any time.

/// What the next scrape is the first of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onset {
    Rollout,
    Step,
    Within,
}

/// The start mass `gᵢ = ¼/H + ½·[first of rollout] + ¼/S·[first of step]`, taken from a reserve of 1.
///
/// What is not in play keeps its value, so the reserve is part of every wealth. Betting from several starts at once
/// finds harm that begins late faster than a test that started long ago.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StartMass {
    reserve: f64,
    each_scrape: f64,
    each_step: f64,
}

impl StartMass {
    pub(super) fn new(planned_scrapes: u32, later_steps: u32) -> Self {
        let spread = |mass: f64, over: u32| if over == 0 { 0.0 } else { mass / f64::from(over) };
        Self {
            reserve: 1.0,
            each_scrape: spread(0.25, planned_scrapes),
            each_step: spread(0.25, later_steps),
        }
    }

    /// Returns the mass that starts with this scrape and takes it from the reserve.
    pub(super) fn release(&mut self, onset: Onset) -> f64 {
        let wanted = self.each_scrape
            + match onset {
                Onset::Rollout => 0.5,
                Onset::Step => self.each_step,
                Onset::Within => 0.0,
            };
        let released = wanted.min(self.reserve);
        self.reserve -= released;
        released
    }

    pub(super) const fn reserve(&self) -> f64 {
        self.reserve
    }
}
