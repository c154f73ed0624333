//! Evidence of harm from latency: slow requests are counted against the baseline as errors are.

use std::collections::BTreeMap;

use super::errors::ErrorProcess;
use super::start::{Onset, StartMass};
use crate::model::{Calibration, Counts, JudgeSettings, LatencyBound, Tail, Totals};

/// The mean over the chosen bounds of what [`ErrorProcess`] makes of the requests beyond each.
///
/// Bounds on whole quantiles of a distribution (Howard & Ramdas 2022) are too wide for it: with 750 requests ±11 % of the
/// rank, so that a p99 is undecidable. Counting beyond a bound takes some 400 requests to find half as many again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LatencyProcess(Vec<Beyond>);

#[derive(Debug, Clone, PartialEq)]
struct Beyond {
    over: LatencyBound,
    process: ErrorProcess,
}

impl LatencyProcess {
    pub(super) fn new(settings: &JudgeSettings, start: &StartMass, calibration: &Calibration) -> Self {
        let beyond = calibration.tails.iter().map(|tail| {
            let (ratio, cap) = (settings.latency_ratio, settings.latency_cap());
            let process = ErrorProcess::new(settings, ratio, cap, start.clone(), tail.dispersion.get());
            Beyond { over: tail.over, process }
        });
        Self(beyond.collect())
    }

    /// Takes in a scrape. A bound that is not known on both sides tells nothing.
    pub(super) fn update(&mut self, onset: Onset, tails: &BTreeMap<LatencyBound, Tail>) {
        for Beyond { over, process } in &mut self.0 {
            process.update(onset, &tails.get(over).and_then(compared).unwrap_or_default());
        }
    }

    /// Returns whether there is a bound.
    pub(super) const fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn wealth(&self) -> f64 {
        if self.0.is_empty() {
            return 1.0;
        }
        self.0.iter().map(|beyond| beyond.process.wealth()).sum::<f64>() / self.0.len() as f64
    }

    /// Returns the bound beyond which the canary stands out the most.
    pub(super) fn worst(&self) -> Option<LatencyBound> {
        let wealth = |beyond: &&Beyond| beyond.process.wealth();
        let worst = self.0.iter().max_by(|a, b| wealth(a).total_cmp(&wealth(b)));
        worst.map(|beyond| beyond.over)
    }
}

fn compared(tail: &Tail) -> Option<Totals> {
    let (canary, baseline): (Counts, Counts) = (tail.canary?, tail.baseline?);
    Some(Totals { canary, baseline })
}
