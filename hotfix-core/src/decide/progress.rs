//! What was seen at a weight so far, counted in scrapes.

use super::Gate;
use crate::model::{Counts, Pace, Sample};

/// The counters a decision waits for. All but `answered` and `accused` begin anew with each gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Progress {
    /// Scrapes in which the canary answered requests.
    pub dwell: u32,
    /// Scrapes in a row that said nothing.
    pub blind: u32,
    /// Scrapes in a row in which the canary answered nothing.
    pub quiet: u32,
    /// Scrapes in a row in which the canary answered less than a quarter of what it should, after it did better. A
    /// split that takes a while to reach a new weight is not held against it.
    pub starved: u32,
    /// Scrapes in which something stood against going forward.
    pub held: u32,
    /// Whether the canary had at least a quarter of its share in some scrape.
    pub had_share: bool,
    /// Whether the canary ever answered a request in this rollout.
    pub answered: bool,
    /// Scrapes of this rollout that raised the evidence of harm. One alone condemns nobody: where a canary has just begun to
    /// answer beside a large baseline, its one failed request is all there is.
    pub accused: u32,
}

impl Progress {
    /// Begins the next gate of the same rollout.
    #[must_use]
    pub fn next_gate(self) -> Self {
        Self { answered: self.answered, accused: self.accused, ..Self::default() }
    }

    /// Counts a scrape by what it made of the evidence of harm.
    pub(super) fn weigh(&mut self, log_before: f64, log_after: f64) {
        // What merely moves between stakes differs in its last digits.
        const NOTHING: f64 = 1e-9;
        self.accused = self.accused.saturating_add(u32::from(log_after > log_before + NOTHING));
    }

    /// Counts a sample. One that says nothing neither ends nor lengthens what is counted in a row.
    pub(super) fn count(&mut self, sample: &Sample, gate: Gate, pace: &Pace) {
        let Some([canary, baseline]) = seen(sample, gate) else {
            self.blind = self.blind.saturating_add(1);
            return;
        };
        self.blind = 0;
        let share = share(canary, baseline, gate, pace);
        self.had_share |= share == Share::Enough;
        let fell = self.had_share || (self.answered && canary.requests() == 0);
        let starved = share == Share::TooLittle && fell && sample.ready != Some(0);
        self.starved = in_a_row(self.starved, starved);
        self.quiet = in_a_row(self.quiet, canary.requests() == 0);
        if canary.requests() > 0 {
            self.dwell = self.dwell.saturating_add(1);
            self.answered = true;
        }
    }
}

/// Returns the counts of both sides, if the sample says something of all sides there are.
pub(super) fn seen(sample: &Sample, gate: Gate) -> Option<[Counts; 2]> {
    let canary = sample.canary.counts()?;
    if gate.has_baseline() { Some([canary, sample.baseline.counts()?]) } else { Some([canary, Counts::NONE]) }
}

/// Returns how many of the answered requests the canary should have answered, in hundredths.
pub(super) fn expected(canary: Counts, baseline: Counts, gate: Gate) -> u128 {
    let answered = u128::from(canary.requests()) + u128::from(baseline.requests());
    answered * u128::from(gate.percent())
}

/// How a scrape's traffic compares with a quarter of the canary's weight.
#[derive(PartialEq, Eq)]
enum Share {
    Enough,
    TooLittle,
    /// Too few requests to tell.
    Unknown,
}

fn share(canary: Counts, baseline: Counts, gate: Gate, pace: &Pace) -> Share {
    let expected = expected(canary, baseline, gate);
    if expected < 100 * u128::from(pace.starved_expects) {
        Share::Unknown
    } else if 400 * u128::from(canary.requests()) < expected {
        Share::TooLittle
    } else {
        Share::Enough
    }
}

const fn in_a_row(before: u32, again: bool) -> u32 {
    if again { before.saturating_add(1) } else { 0 }
}
