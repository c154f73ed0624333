//! Turns raw counters into disjoint increments: every request enters the judge once, also the first ones of a new
//! instance. Only what a new instance answers before it is warm is not held against its latency.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{Counts, LatencyBound, Missing, Reading, Sample, SlotName, Tail, Timestamp, Totals};
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
    /// The kinds of requests that are told apart.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    kinds: BTreeSet<String>,
}

/// How many kinds of requests are told apart; all others are one more. Each costs room in every journal entry of a look.
const MOST_KINDS: usize = 15;
/// How many characters of a kind are kept: a client of the service may have made it as long as it likes.
const LONGEST_KIND: usize = 100;
/// The kind of everything beyond [`MOST_KINDS`], and of what has none.
const OTHER: &str = "";

type Cursors = BTreeMap<SlotName, BTreeMap<String, Cursor>>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    running_since: Option<Timestamp>,
    requests: u64,
    errors: u64,
    #[serde(default)]
    slow: BTreeMap<LatencyBound, u64>,
}

/// What happened in the slots between two scrapes.
#[derive(Debug, Default)]
struct Seen {
    counts: BTreeMap<SlotName, Counts>,
    tails: BTreeMap<(LatencyBound, SlotName), Counts>,
    kinds: BTreeMap<String, Totals>,
}

impl Increments {
    /// Counts what happens in the two slots after `since`, the start of the rollout.
    #[must_use]
    pub const fn new(canary: SlotName, baseline: Option<SlotName>, since: Timestamp) -> Self {
        Self { canary, baseline, since, cursors: BTreeMap::new(), kinds: BTreeSet::new() }
    }

    /// Remembers the counters without counting them: do it with a scrape from before the rollout, so that series that
    /// were there already are known. What cannot be used is left out.
    pub fn prime(&mut self, scrape: &Scrape) {
        for series in &scrape.series {
            if !self.watches(series) {
                continue;
            }
            let known = self.cursors.entry(series.slot.clone()).or_default();
            let last = known.get(&series.series);
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
        self.learn_kinds(scrape);
        match self.read(scrape, &mut cursors) {
            Ok(seen) => {
                self.cursors = cursors;
                self.sample(at, &seen)
            }
            Err(missing) => Sample::missed(at, missing),
        }
    }

    /// Tells the kinds apart that have the most requests when they are first seen: a choice that does not depend on how
    /// any of them ended, so that the comparison stays fair.
    fn learn_kinds(&mut self, scrape: &Scrape) {
        let mut fresh: BTreeMap<&str, f64> = BTreeMap::new();
        for series in scrape.series.iter().filter(|series| self.watches(series)) {
            let kind = kind_of(series);
            if kind != OTHER && !self.kinds.contains(kind) {
                *fresh.entry(kind).or_default() += series.requests;
            }
        }
        let mut fresh: Vec<_> = fresh.into_iter().collect();
        fresh.sort_by(|(a, of_a), (b, of_b)| of_b.total_cmp(of_a).then(a.cmp(b)));
        let room = MOST_KINDS.saturating_sub(self.kinds.len());
        self.kinds.extend(fresh.into_iter().take(room).map(|(kind, _)| kind.to_owned()));
    }

    /// Adds to the kind of a series; nothing while no kind is known.
    fn add_kind(&self, series: &CounterSeries, counts: Counts, seen: &mut Seen) {
        if self.kinds.is_empty() {
            return;
        }
        let kind = Some(kind_of(series)).filter(|kind| self.kinds.contains(*kind)).unwrap_or(OTHER);
        let sum = seen.kinds.entry(kind.to_owned()).or_default();
        let none = Counts::NONE;
        let (canary, baseline) = if series.slot == self.canary { (counts, none) } else { (none, counts) };
        *sum = sum.saturating_add(canary, baseline);
    }

    fn read(&self, scrape: &Scrape, cursors: &mut Cursors) -> Result<Seen, Missing> {
        if let Some(warning) = scrape.warnings.first() {
            return Err(Missing::warned(warning));
        }
        let mut watched: Vec<_> = scrape.series.iter().filter(|s| self.watches(s)).collect();
        watched.sort_by_key(|series| series.at);
        let mut seen = Seen::default();
        for series in &watched {
            self.advance(series, cursors, &mut seen)?;
        }
        if seen.counts.is_empty() && !watched.is_empty() {
            return Err(Missing::Stale);
        }
        Ok(seen)
    }

    /// Moves the cursor of a series and adds by how much; a value that is not newer than the last adds nothing.
    fn advance(&self, series: &CounterSeries, cursors: &mut Cursors, seen: &mut Seen) -> Result<(), Missing> {
        let known = cursors.entry(series.slot.clone()).or_default();
        let last = known.get(&series.series);
        let now = Cursor::read(series, last)?;
        let (requests, errors) = match last {
            Some(last) if now.at <= last.at => return Ok(()),
            Some(last) => now.since(last),
            None if series.slot == self.canary && now.at >= self.since => (now.requests, now.errors),
            None => (0, 0),
        };
        let Ok(counts) = Counts::new(requests, errors) else {
            return Err(Missing::inconsistent(&series.series));
        };
        seen.add(&series.slot, counts);
        self.add_kind(series, counts, seen);
        if let Some(last) = last {
            now.slower_since(last).for_each(|(bound, tail)| seen.add_tail(bound, &series.slot, tail));
        }
        known.insert(series.series.clone(), now);
        Ok(())
    }

    fn sample(&self, at: Timestamp, seen: &Seen) -> Sample {
        let reading = |slot: &SlotName| match seen.counts.get(slot) {
            Some(counts) => Reading::Counts(*counts),
            None => Reading::Absent,
        };
        let baseline = self.baseline.as_ref().map_or(Reading::Absent, reading);
        let mut tails: BTreeMap<LatencyBound, Tail> = BTreeMap::new();
        for ((bound, slot), counts) in &seen.tails {
            let tail = tails.entry(*bound).or_default();
            let side = if *slot == self.canary { &mut tail.canary } else { &mut tail.baseline };
            *side = Some(*counts);
        }
        let kinds = seen.kinds.clone();
        Sample { at, canary: reading(&self.canary), baseline, tails, kinds, ready: None }
    }

    fn watches(&self, series: &CounterSeries) -> bool {
        series.slot == self.canary || Some(&series.slot) == self.baseline.as_ref()
    }
}

impl Seen {
    fn add(&mut self, slot: &SlotName, counts: Counts) {
        let sum = self.counts.entry(slot.clone()).or_default();
        *sum = sum.saturating_add(counts);
    }

    fn add_tail(&mut self, bound: LatencyBound, slot: &SlotName, tail: Counts) {
        let sum = self.tails.entry((bound, slot.clone())).or_default();
        *sum = sum.saturating_add(tail);
    }
}

impl Cursor {
    /// Reads a series. An error series that does not exist counts no errors; one that vanished counts no new ones. A
    /// bound whose counter makes no sense is not known.
    fn read(series: &CounterSeries, last: Option<&Self>) -> Result<Self, Missing> {
        let not_a_count = |value| Missing::not_a_count(&series.series, value);
        let requests = whole(series.requests).ok_or_else(|| not_a_count(series.requests))?;
        let errors = match (series.errors, last) {
            (Some(errors), _) => whole(errors).ok_or_else(|| not_a_count(errors))?,
            (None, Some(last)) if last.requests <= requests => last.errors,
            (None, _) => 0,
        };
        let slow = series.slow.iter().filter_map(|(bound, slow)| Some((*bound, whole(*slow)?)));
        let (at, running_since) = (series.at, series.running_since);
        Ok(Self { at, running_since, requests, errors, slow: slow.collect() })
    }

    /// Returns the requests and errors since an older value. A counter that dropped started again from zero, and when the
    /// requests did, the errors did too; unless the instance ran on: then a part of it is no longer told.
    fn since(&self, last: &Self) -> (u64, u64) {
        match self.requests.checked_sub(last.requests) {
            Some(requests) => (requests, self.rise(last, self.errors, last.errors)),
            None if self.ran_on(last) => (0, 0),
            None => (self.requests, self.errors),
        }
    }

    fn ran_on(&self, last: &Self) -> bool {
        self.running_since.is_some_and(|since| since <= last.at)
    }

    /// Returns by how much a counter rose; one that dropped started again from zero, or lost a part.
    fn rise(&self, last: &Self, now: u64, before: u64) -> u64 {
        match now.checked_sub(before) {
            Some(rise) => rise,
            None if self.ran_on(last) => 0,
            None => now,
        }
    }

    /// Returns the requests and the slow ones among them since an older value, for each bound that both know; none of
    /// an instance that started in between, which is not warm yet.
    ///
    /// Requests that are under way while they are read can show in one counter and not yet in the other, so there may
    /// be a few too many slow ones: these are left out.
    fn slower_since(&self, last: &Self) -> impl Iterator<Item = (LatencyBound, Counts)> {
        let restarted = self.requests < last.requests;
        let requests = self.requests.saturating_sub(last.requests);
        let known = self.slow.iter().filter(move |_| !restarted);
        known.filter_map(move |(bound, slow)| {
            let slow = self.rise(last, *slow, *last.slow.get(bound)?).min(requests);
            Some((*bound, Counts::new(requests, slow).ok()?))
        })
    }
}

fn kind_of(series: &CounterSeries) -> &str {
    let kind = series.kind.as_deref().unwrap_or(OTHER);
    kind.char_indices().nth(LONGEST_KIND).map_or(kind, |(end, _)| &kind[..end])
}

/// Reads a counter, which is a finite number from 0 on.
fn whole(value: f64) -> Option<u64> {
    (value.is_finite() && value >= 0.0).then_some(value as u64)
}
