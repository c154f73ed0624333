//! What the simple rules have seen: a window or a tally for each.

use std::collections::VecDeque;

use super::Gate;
use super::progress::seen;
use crate::model::{Counts, InvalidValue, Measure, Reason, Sample, Span, Threshold, Timestamp, Totals};

/// The thresholds of a rollout, each with what it has counted so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Thresholds(Vec<Watched>);

#[derive(Debug, Clone, PartialEq)]
struct Watched {
    rule: Threshold,
    /// What was counted lately, for a rule over a time.
    window: VecDeque<(Timestamp, Totals)>,
    /// Scrapes beyond the limit, for a rule over scrapes.
    beyond: u32,
    /// Scrapes in a row with canary requests of which nothing was known that the rule is about.
    untold: u32,
    /// What exceeds the limit since the newest scrape.
    breach: Option<Totals>,
}

impl Thresholds {
    /// Nothing was seen yet.
    ///
    /// # Errors
    /// As [`Threshold::checked`].
    pub fn new(rules: &[Threshold]) -> Result<Self, InvalidValue> {
        let watched = |rule: &Threshold| {
            let rule = rule.checked()?;
            Ok(Watched { rule, window: VecDeque::new(), beyond: 0, untold: 0, breach: None })
        };
        rules.iter().map(watched).collect::<Result<_, _>>().map(Self)
    }

    /// Begins the next gate. Rates at different weights are not compared with the baseline together: when both sides
    /// fail more at one time than at another, that would find or hide a difference that is none.
    pub fn next_gate(&mut self) {
        for watched in &mut self.0 {
            if matches!(watched.rule.measure, Measure::ErrorRateOverBaseline { .. }) {
                watched.window.clear();
            }
        }
    }

    /// Takes in a sample. One that says nothing changes nothing.
    pub fn count(&mut self, sample: &Sample, gate: Gate) {
        if let Some([canary, baseline]) = seen(sample, gate) {
            for watched in &mut self.0 {
                watched.count(sample, Totals { canary, baseline }, gate);
            }
        }
    }

    /// Returns which thresholds are exceeded.
    pub fn breaches(&self) -> impl Iterator<Item = Reason> {
        self.0.iter().filter_map(Watched::reason)
    }

    /// Returns a threshold that nothing is known for, in so many scrapes in a row.
    #[must_use]
    pub fn untold(&self, limit: u32) -> Option<Reason> {
        let untold = self.0.iter().find(|watched| watched.untold >= limit)?;
        Some(Reason::ThresholdBlind { rule: untold.rule, scrapes: untold.untold })
    }
}

impl Watched {
    fn count(&mut self, sample: &Sample, answered: Totals, gate: Gate) {
        self.breach = None;
        let totals = match self.rule.measure {
            Measure::ErrorRate { .. } => Some(answered),
            Measure::ErrorRateOverBaseline { .. } => gate.has_baseline().then_some(answered),
            Measure::Percentile { over, .. } => {
                let tail = sample.tails.get(&over).and_then(|tail| tail.canary);
                let told = tail.is_some() || answered.canary.requests() == 0;
                self.untold = if told { 0 } else { self.untold.saturating_add(1) };
                tail.map(|canary| Totals { canary, baseline: Counts::NONE })
            }
        };
        let Some(totals) = totals else { return };
        match self.rule.span {
            Span::Within(period) => {
                self.window.push_back((sample.at, totals));
                let since = sample.at - period.to_delta();
                self.window.retain(|(at, _)| *at > since);
                let sum = |sum: Totals, (_, totals): &(_, Totals)| {
                    sum.saturating_add(totals.canary, totals.baseline)
                };
                let lately = self.window.iter().fold(Totals::default(), sum);
                self.breach = (self.exceeds(lately) == Some(true)).then_some(lately);
            }
            Span::InARow(scrapes) => self.tally(totals, scrapes, 0),
            Span::InAll(scrapes) => self.tally(totals, scrapes, self.beyond),
        }
    }

    /// Counts a scrape on its own; `otherwise` is what is left of the tally when it is within the limit.
    fn tally(&mut self, totals: Totals, scrapes: u32, otherwise: u32) {
        match self.exceeds(totals) {
            Some(true) => self.beyond = self.beyond.saturating_add(1),
            Some(false) => self.beyond = otherwise,
            None => {}
        }
        self.breach = (self.beyond >= scrapes).then_some(totals);
    }

    /// Returns whether the limit is exceeded; `None` with too few requests to say.
    fn exceeds(&self, Totals { canary, baseline }: Totals) -> Option<bool> {
        let enough = |side: Counts| side.requests() >= self.rule.least;
        match self.rule.measure {
            Measure::ErrorRate { over } => {
                enough(canary).then(|| over.is_exceeded_by(canary.errors(), canary.requests()))
            }
            Measure::ErrorRateOverBaseline { by } => (enough(canary) && enough(baseline)).then(|| {
                let allowed = baseline.errors() as f64 * (1.0 + by.share());
                canary.errors() as f64 * baseline.requests() as f64 > allowed * canary.requests() as f64
            }),
            Measure::Percentile { rank, .. } => {
                enough(canary).then(|| rank.rest().is_exceeded_by(canary.errors(), canary.requests()))
            }
        }
    }

    fn reason(&self) -> Option<Reason> {
        let Totals { canary, baseline } = self.breach?;
        let baseline = matches!(self.rule.measure, Measure::ErrorRateOverBaseline { .. }).then_some(baseline);
        Some(Reason::ThresholdExceeded { rule: self.rule, canary, baseline })
    }
}
