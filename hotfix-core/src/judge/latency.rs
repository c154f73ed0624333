//! Evidence of harm from latency: slow requests are counted against the baseline as errors are, and against what was
//! usual when that is gone.

use std::collections::BTreeMap;

use super::ceiling::{CeilingProcess, allowed};
use super::compared::{ALIKE, Compared};
use super::errors::ErrorProcess;
use super::rollout::Comparison;
use super::start::{Onset, StartMass};
use crate::model::{Calibration, Counts, JudgeSettings, LatencyBound, Tail, Totals};

/// The mean over the chosen bounds of what [`ErrorProcess`] makes of the requests beyond each.
///
/// Bounds on whole quantiles of a distribution (Howard & Ramdas 2022) are too wide for it: with 750 requests ±11 % of the
/// rank, so that a p99 is undecidable. Counting beyond a bound takes some 400 requests to find half as many again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LatencyProcess {
    beyond: Vec<Beyond>,
    comparison: Comparison,
}

#[derive(Debug, Clone, PartialEq)]
struct Beyond {
    over: LatencyBound,
    process: ErrorProcess,
    /// What the baseline had at the present weight.
    baseline: Counts,
    /// The bet that goes on without a baseline; `None` where nothing is known of the time before the rollout.
    alone: Option<CeilingProcess>,
}

impl LatencyProcess {
    pub(super) fn new(settings: &JudgeSettings, start: &StartMass, calibration: &Calibration) -> Self {
        let beyond = calibration.tails.iter().map(|bound| {
            let (ratio, cap) = (settings.latency_ratio, settings.latency_cap());
            let phi = bound.dispersion.get();
            let theta = (bound.usual.requests() > 0).then(|| allowed(bound.usual, phi));
            // A pause hits no other side here that it could be held against, so it counts for no more than errors do.
            let above = |theta| CeilingProcess::new(settings, theta, settings.cap(), start.clone(), phi);
            Beyond {
                over: bound.over,
                process: ErrorProcess::new(settings, ratio, cap, start.clone(), phi),
                baseline: Counts::NONE,
                alone: theta.map(above),
            }
        });
        Self { beyond: beyond.collect(), comparison: Comparison::WithBaseline }
    }

    /// Goes on without a baseline, against twice the share of slow requests that it may have had: before the rollout, or
    /// at its last weight, whichever is more. Where nothing is known of the time before, the evidence stays as it is.
    ///
    /// Both are known before the scrapes they are used for, so these stay fair bets against "at most this share".
    pub(super) fn continue_alone(&mut self, start: &StartMass) {
        self.comparison = Comparison::Alone;
        for Beyond { process, baseline, alone, .. } in &mut self.beyond {
            if let Some(alone) = alone {
                alone.restart(process.wealth(), start.clone(), *baseline);
            }
        }
    }

    /// Takes in a scrape. A bound that is not known on both sides tells nothing; without a baseline, one that is not known
    /// of the canary.
    pub(super) fn update(&mut self, onset: Onset, tails: &BTreeMap<LatencyBound, Tail>) {
        for Beyond { over, process, baseline, alone } in &mut self.beyond {
            let tail = tails.get(over);
            match (self.comparison, alone) {
                (Comparison::WithBaseline, _) => {
                    let scrape = tail.and_then(compared).unwrap_or_default();
                    process.update(onset, Compared::new(&scrape, &ALIKE));
                    let before = if onset == Onset::Within { *baseline } else { Counts::NONE };
                    *baseline = before.saturating_add(scrape.baseline);
                }
                (Comparison::Alone, Some(alone)) => {
                    alone.update(onset, tail.and_then(|tail| tail.canary).unwrap_or_default());
                }
                (Comparison::Alone, None) => {}
            }
        }
    }

    /// Returns whether there is a bound.
    pub(super) const fn is_known(&self) -> bool {
        !self.beyond.is_empty()
    }

    pub(super) fn wealth(&self) -> f64 {
        if self.beyond.is_empty() {
            return 1.0;
        }
        self.beyond.iter().map(|beyond| self.wealth_of(beyond)).sum::<f64>() / self.beyond.len() as f64
    }

    /// Returns the bound beyond which the canary stands out the most.
    pub(super) fn worst(&self) -> Option<LatencyBound> {
        let worst = self.beyond.iter().max_by(|a, b| self.wealth_of(a).total_cmp(&self.wealth_of(b)));
        worst.map(|beyond| beyond.over)
    }

    fn wealth_of(&self, beyond: &Beyond) -> f64 {
        match (self.comparison, &beyond.alone) {
            (Comparison::Alone, Some(alone)) => alone.wealth(),
            _ => beyond.process.wealth(),
        }
    }
}

fn compared(tail: &Tail) -> Option<Totals> {
    let (canary, baseline): (Counts, Counts) = (tail.canary?, tail.baseline?);
    Some(Totals { canary, baseline })
}
