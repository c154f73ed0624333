//! The reference [`MetricsSource`]: counters that a test advances.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::lock;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Period, SlotName, Target, Timestamp};
use crate::port::{
    Clock, CounterSeries, HistoryQuery, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape,
};

/// A metrics source whose counters rise when a test says so.
///
/// As in a real system, a slot has no series before its first request, and a series has no error counter before its
/// first error.
#[derive(Clone)]
pub struct MemoryMetrics {
    clock: Arc<dyn Clock>,
    interval: Period,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    slots: BTreeMap<(Target, SlotName), Counters>,
    warnings: Vec<String>,
    failures: VecDeque<ErrorKind>,
}

#[derive(Default)]
struct Counters {
    series: BTreeMap<String, Counter>,
    /// When errors, or requests without any, were counted: what the history is made of.
    log: Vec<(Timestamp, u64)>,
}

#[derive(Default)]
struct Counter {
    requests: u64,
    errors: Option<u64>,
}

impl MemoryMetrics {
    /// Builds a source without any series.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, interval: Period) -> Self {
        Self { clock, interval, book: Arc::default() }
    }

    /// Counts requests of one instance, some of which ended in an error.
    pub fn count(&self, target: &Target, slot: &SlotName, series: &str, requests: u64, errors: u64) {
        let now = self.clock.now();
        let mut book = lock(&self.book);
        let counters = book.slots.entry((target.clone(), slot.clone())).or_default();
        counters.log.push((now, errors));
        let counter = counters.series.entry(series.to_owned()).or_default();
        counter.requests += requests;
        if errors > 0 {
            counter.errors = Some(counter.errors.unwrap_or(0) + errors);
        }
    }

    /// Drops the counters of one instance to zero, as a restart does.
    pub fn restart(&self, target: &Target, slot: &SlotName, series: &str) {
        let mut book = lock(&self.book);
        if let Some(counters) = book.slots.get_mut(&(target.clone(), slot.clone())) {
            counters.series.insert(series.to_owned(), Counter::default());
        }
    }

    /// Removes all series of a slot, as when its instances are gone.
    pub fn forget(&self, target: &Target, slot: &SlotName) {
        lock(&self.book).slots.remove(&(target.clone(), slot.clone()));
    }

    /// Adds a warning to the next scrape.
    pub fn warn(&self, warning: impl Into<String>) {
        lock(&self.book).warnings.push(warning.into());
    }

    /// Makes the next read fail for which no failure is scripted yet.
    pub fn fail(&self, kind: ErrorKind) {
        lock(&self.book).failures.push_back(kind);
    }

    fn read<T>(&self, operation: &'static str, read: impl FnOnce(&mut Book) -> T) -> Result<T> {
        let mut book = lock(&self.book);
        match book.failures.pop_front() {
            Some(kind) => Err(Error::new(kind, operation, "scripted to fail")),
            None => Ok(read(&mut book)),
        }
    }
}

impl Counters {
    fn scrape(&self, slot: &SlotName, at: Timestamp) -> impl Iterator<Item = CounterSeries> {
        self.series.iter().map(move |(series, counter)| CounterSeries {
            slot: slot.clone(),
            series: series.clone(),
            at,
            requests: as_counter(counter.requests),
            errors: counter.errors.map(as_counter),
        })
    }

    /// Returns the errors of each whole interval before now since the first request.
    fn history(&self, interval: Period, points: usize, now: Timestamp) -> Vec<u64> {
        let length = interval.as_millis().max(1);
        let ages = self.log.iter().map(|(at, errors)| (age(*at, now), errors));
        let oldest = ages.clone().map(|(age, _)| age).max().unwrap_or(0);
        let whole = usize::try_from(oldest / length).unwrap_or(usize::MAX).min(points);
        let mut history = vec![0; whole];
        for (age, errors) in ages {
            // An interval holds what happened at its start and before its end.
            let back = usize::try_from(age.div_ceil(length)).unwrap_or(usize::MAX);
            if (1..=whole).contains(&back) {
                history[whole - back] += errors;
            }
        }
        history
    }
}

fn age(at: Timestamp, now: Timestamp) -> u64 {
    u64::try_from((now - at).num_milliseconds()).unwrap_or(0)
}

/// A counter as metrics systems hold it.
#[expect(clippy::cast_precision_loss, reason = "no test counts to two to the 53rd")]
const fn as_counter(count: u64) -> f64 {
    count as f64
}

impl fmt::Debug for MemoryMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMetrics").finish_non_exhaustive()
    }
}

#[async_trait]
impl MetricsSource for MemoryMetrics {
    fn capabilities(&self) -> MetricsCapabilities {
        MetricsCapabilities { interval: self.interval }
    }

    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape> {
        let now = self.clock.now();
        self.read("metrics.scrape", |book| {
            let counters = |slot: &SlotName| book.slots.get(&(query.target.clone(), slot.clone()));
            let found = query.slots.iter().filter_map(|slot| Some((slot, counters(slot)?)));
            Scrape {
                series: found.flat_map(|(slot, counters)| counters.scrape(slot, now)).collect(),
                warnings: std::mem::take(&mut book.warnings),
            }
        })
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Vec<u64>> {
        let now = self.clock.now();
        self.read("metrics.history", |book| {
            let counters = book.slots.get(&(query.target.clone(), query.slot.clone()));
            counters.map_or_else(Vec::new, |counters| counters.history(query.interval, query.points, now))
        })
    }
}
