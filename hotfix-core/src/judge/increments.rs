//! Turns raw counters into disjoint increments: every request enters the judge once, also the first ones of a new
//! instance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Counts, Missing, Reading, Sample, SlotName, Timestamp};
use crate::port::{CounterSeries, Scrape};

/// The last value seen of each series of the two slots.
///
/// `rate()` and `increase()` never see the first value of a new series, so that a new canary loses most of its early
/// errors. Here a series born on the canary during the rollout counts from zero.
///
/// The state is not needed to replay verdicts, which rest on the samples. After an interruption either restore it, or
/// make a new one and [`prime`](Self::prime) it: what happened in between then counts for neither side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Increments {
    canary: SlotName,
    baseline: Option<SlotName>,
    since: Timestamp,
    cursors: Cursors,
}

type Cursors = BTreeMap<SlotName, BTreeMap<String, Cursor>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    at: Timestamp,
    requests: u64,
    errors: u64,
}

impl Increments {
    /// Counts what happens in the two slots after `since`, the start of the rollout.
    #[must_use]
    pub const fn new(canary: SlotName, baseline: Option<SlotName>, since: Timestamp) -> Self {
        Self { canary, baseline, since, cursors: BTreeMap::new() }
    }

    /// Remembers the counters without counting them: do it with a scrape from before the rollout, so that series that
    /// were there already are known. What cannot be used is left out.
    pub fn prime(&mut self, scrape: &Scrape) {
        for series in &scrape.series {
            if !self.watches(series) {
                continue;
            }
            let known = self.cursors.entry(series.slot.clone()).or_default();
            let last = known.get(&series.series).copied();
            if let Ok(cursor) = Cursor::read(series, last)
                && last.is_none_or(|last| last.at < cursor.at)
            {
                known.insert(series.series.clone(), cursor);
            }
        }
    }

    /// Returns what happened on both sides since the scrape before.
    ///
    /// A scrape that is missing for one side is missing for both, and leaves the counters where they were: its requests
    /// enter with the next one.
    pub fn take(&mut self, at: Timestamp, scrape: &Scrape) -> Sample {
        let mut cursors = self.cursors.clone();
        match self.read(scrape, &mut cursors) {
            Ok([canary, baseline]) => {
                self.cursors = cursors;
                Sample { at, canary, baseline, ready: None }
            }
            Err(missing) => Sample::missed(at, missing),
        }
    }

    fn read(&self, scrape: &Scrape, cursors: &mut Cursors) -> Result<[Reading; 2], Missing> {
        if let Some(warning) = scrape.warnings.first() {
            let warning = warning.chars().take(200).collect();
            return Err(Missing::Warned { warning });
        }
        let mut watched: Vec<_> = scrape.series.iter().filter(|s| self.watches(s)).collect();
        watched.sort_by_key(|series| series.at);
        let mut seen = BTreeMap::new();
        for series in &watched {
            if let Some(increment) = self.advance(series, cursors)? {
                let sum = seen.entry(&series.slot).or_insert(Counts::NONE);
                *sum = sum.saturating_add(increment);
            }
        }
        if seen.is_empty() && !watched.is_empty() {
            return Err(Missing::Stale);
        }
        let reading = |slot| match seen.get(slot) {
            Some(counts) => Reading::Counts(*counts),
            None => Reading::Absent,
        };
        let baseline = self.baseline.as_ref().map_or(Reading::Absent, reading);
        Ok([reading(&self.canary), baseline])
    }

    /// Moves the cursor of a series and returns by how much; `None` for a value that is not newer than the last.
    fn advance(&self, series: &CounterSeries, cursors: &mut Cursors) -> Result<Option<Counts>, Missing> {
        let known = cursors.entry(series.slot.clone()).or_default();
        let last = known.get(&series.series).copied();
        let now = Cursor::read(series, last)?;
        let (requests, errors) = match last {
            Some(last) if now.at <= last.at => return Ok(None),
            Some(last) => now.since(last),
            None if series.slot == self.canary && now.at >= self.since => (now.requests, now.errors),
            None => (0, 0),
        };
        known.insert(series.series.clone(), now);
        match Counts::new(requests, errors) {
            Ok(counts) => Ok(Some(counts)),
            Err(_) => Err(Missing::Inconsistent { series: series.series.clone() }),
        }
    }

    fn watches(&self, series: &CounterSeries) -> bool {
        series.slot == self.canary || Some(&series.slot) == self.baseline.as_ref()
    }
}

impl Cursor {
    /// Reads a series. An error series that does not exist counts no errors; one that vanished counts no new ones.
    fn read(series: &CounterSeries, last: Option<Self>) -> Result<Self, Missing> {
        let whole = |value: f64| {
            if value.is_finite() && value >= 0.0 {
                Ok(value as u64)
            } else {
                Err(Missing::NotACount { series: series.series.clone(), value: value.to_string() })
            }
        };
        let requests = whole(series.requests)?;
        let errors = match (series.errors, last) {
            (Some(errors), _) => whole(errors)?,
            (None, Some(last)) if last.requests <= requests => last.errors,
            (None, _) => 0,
        };
        Ok(Self { at: series.at, requests, errors })
    }

    /// Returns the requests and errors since an older value. A counter that dropped started again from zero; when the
    /// requests did, the errors did too.
    const fn since(self, last: Self) -> (u64, u64) {
        if self.requests < last.requests {
            return (self.requests, self.errors);
        }
        let counted = if self.errors < last.errors { 0 } else { last.errors };
        (self.requests - last.requests, self.errors - counted)
    }
}
