//! The reference [`MetricsSource`]: counters that a test advances.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::lock;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{LatencyBound, Period, SlotName, Target, Timestamp};
use crate::port::{
    Clock, CounterSeries, History, HistoryQuery, Latency, LatencyBucket, MetricsCapabilities, MetricsQuery,
    MetricsSource, Scrape,
};

/// A metrics source whose counters rise when a test says so.
///
/// As in a real system, a slot has no series before its first request, a series has no error counter before its
/// first error, and latency is only known at the bounds of a histogram: 5, 10, 25, 50, 100, 250 and 500 ms, and 1, 2.5,
/// 5 and 10 s.
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
    /// What the history is made of.
    log: Vec<Entry>,
}

#[derive(Default)]
struct Counter {
    requests: u64,
    errors: Option<u64>,
    /// Requests by what they took, in microseconds.
    took: BTreeMap<u64, u64>,
}

/// Requests that were counted at once.
struct Entry {
    at: Timestamp,
    requests: u64,
    errors: u64,
    micros: u64,
}

/// The bounds of the histogram, in microseconds.
const BOUNDS: [u64; 11] =
    [5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000];

impl MemoryMetrics {
    /// Builds a source without any series.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, interval: Period) -> Self {
        Self { clock, interval, book: Arc::default() }
    }

    /// Counts requests of one instance, some of which ended in an error, and all of which were answered at once.
    pub fn count(&self, target: &Target, slot: &SlotName, series: &str, requests: u64, errors: u64) {
        let entry = Entry { at: self.clock.now(), requests, errors, micros: 0 };
        self.add(target, slot, series, entry);
    }

    /// Counts requests of one instance that took so long each and ended without an error.
    pub fn count_slow(&self, target: &Target, slot: &SlotName, series: &str, requests: u64, took: Period) {
        let micros = took.as_millis().saturating_mul(1000);
        self.add(target, slot, series, Entry { at: self.clock.now(), requests, errors: 0, micros });
    }

    fn add(&self, target: &Target, slot: &SlotName, series: &str, entry: Entry) {
        let mut book = lock(&self.book);
        let counters = book.slots.entry((target.clone(), slot.clone())).or_default();
        let counter = counters.series.entry(series.to_owned()).or_default();
        counter.requests += entry.requests;
        *counter.took.entry(entry.micros).or_default() += entry.requests;
        if entry.errors > 0 {
            counter.errors = Some(counter.errors.unwrap_or(0) + entry.errors);
        }
        counters.log.push(entry);
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
    fn scrape(
        &self,
        slot: &SlotName,
        at: Timestamp,
        bounds: &[LatencyBound],
    ) -> impl Iterator<Item = CounterSeries> {
        let known = bounds.iter().filter(|bound| BOUNDS.contains(&bound.micros()));
        let known: Vec<LatencyBound> = known.copied().collect();
        self.series.iter().map(move |(series, counter)| CounterSeries {
            slot: slot.clone(),
            series: series.clone(),
            at,
            kind: None,
            running_since: None,
            requests: as_counter(counter.requests),
            errors: counter.errors.map(as_counter),
            slow: known.iter().map(|bound| (*bound, as_counter(counter.slower(*bound)))).collect(),
        })
    }

    /// Returns what each whole interval before now since the first request holds.
    fn history(&self, interval: Period, points: usize, now: Timestamp) -> History {
        let length = interval.as_millis().max(1);
        let ages = self.log.iter().map(|entry| (age(entry.at, now), entry));
        let oldest = ages.clone().map(|(age, _)| age).max().unwrap_or(0);
        let whole = usize::try_from(oldest / length).unwrap_or(usize::MAX).min(points);
        let add_up = |what: &dyn Fn(&Entry) -> u64| {
            let mut sums = vec![0; whole];
            for (age, entry) in ages.clone() {
                // An interval holds what happened at its start and before its end.
                let back = usize::try_from(age.div_ceil(length)).unwrap_or(usize::MAX);
                if (1..=whole).contains(&back) {
                    sums[whole - back] += what(entry);
                }
            }
            sums
        };
        let of = add_up(&|entry| entry.requests).into_iter().sum();
        let bounds = BOUNDS.iter().filter_map(|micros| LatencyBound::from_micros(*micros).ok());
        let bucket = |bound: LatencyBound| {
            let slower = add_up(&|entry| if entry.micros > bound.micros() { entry.requests } else { 0 });
            LatencyBucket { bound, slower, of }
        };
        History { errors: add_up(&|entry| entry.errors), latency: bounds.map(bucket).collect() }
    }
}

impl Counter {
    fn slower(&self, bound: LatencyBound) -> u64 {
        self.took.range(bound.micros() + 1..).map(|(_, requests)| requests).sum()
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
        MetricsCapabilities { interval: self.interval, latency: Latency::Buckets }
    }

    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape> {
        let now = self.clock.now();
        self.read("metrics.scrape", |book| {
            let counters = |slot: &SlotName| book.slots.get(&(query.target.clone(), slot.clone()));
            let found = query.slots.iter().filter_map(|slot| Some((slot, counters(slot)?)));
            Scrape {
                series: found
                    .flat_map(|(slot, counters)| counters.scrape(slot, now, &query.bounds))
                    .collect(),
                warnings: std::mem::take(&mut book.warnings),
            }
        })
    }

    async fn history(&self, query: &HistoryQuery) -> Result<History> {
        let now = self.clock.now();
        self.read("metrics.history", |book| {
            let counters = book.slots.get(&(query.target.clone(), query.slot.clone()));
            counters
                .map_or_else(History::default, |counters| counters.history(query.interval, query.points, now))
        })
    }
}
