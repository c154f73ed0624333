//! Answers to counters: what every instance has counted now, and in each interval of the past.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::DateTime;
use hotfix_core::model::{LatencyBound, SlotName, Target};
use hotfix_core::port::{CounterSeries, History, LatencyBucket};

use super::group::{Counts, Group, Totals};
use super::plan::{Meaning, Reading, Role};
use crate::prometheus::{Answer, Series};

/// The answers to the parts of a reading, put together by instance.
#[derive(Debug)]
pub(crate) struct Counters<'a> {
    reading: &'a Reading,
    groups: BTreeMap<(&'a SlotName, String), Group<'a>>,
    kinds: BTreeMap<(&'a SlotName, String), String>,
}

impl<'a> Counters<'a> {
    /// Puts the series together that belong together. What belongs to no asked slot is left out.
    pub(crate) fn new(
        reading: &'a Reading,
        target: &Target,
        slots: &'a [SlotName],
        answers: &'a [(&Meaning, Arc<Answer>)],
    ) -> Self {
        let slots = reading.slots(target, slots);
        let (mut groups, mut kinds) = (BTreeMap::<_, Group<'a>>::new(), BTreeMap::new());
        for (meaning, answer) in answers {
            for series in answer.series() {
                let label = series.label(reading.slot_label());
                let slot = slots.iter().find(|(value, _)| value == label);
                if let Some((_, slot)) = slot
                    && let Some(counts) = counted(reading, meaning, series)
                {
                    let key = (*slot, name(reading, series));
                    if let Some(kind) = reading.kind_of(series) {
                        kinds.insert(key.clone(), kind);
                    }
                    groups.entry(key).or_default().add(counts, series);
                }
            }
        }
        groups.retain(|_, group| group.counts_requests());
        Self { reading, groups, kinds }
    }

    /// Returns what each instance has counted by its newest scrape, and since when it was seen to run on. An instance that
    /// started anew in the meantime is told with what it had counted just before too, so that nothing is lost in between.
    pub(crate) fn newest(&self, bounds: &[LatencyBound]) -> Vec<CounterSeries> {
        let mut found = Vec::with_capacity(self.groups.len());
        for (key @ (slot, series), group) in &self.groups {
            let mut walk = group.walk();
            let mut running_since = None;
            while let Some(step) = walk.step() {
                // One that was seen to start anew ran on from then; the first look knows nothing of the time before.
                let at = DateTime::from_timestamp_millis(step.at);
                running_since = if step.restarted { at } else { running_since.or(at) };
                if walk.peek().is_some_and(|next| !next.restarted) {
                    continue;
                }
                let Totals { requests, errors, slow } = walk.totals(bounds, self.reading.unit);
                found.extend(at.map(|at| CounterSeries {
                    slot: (*slot).clone(),
                    series: series.clone(),
                    kind: self.kinds.get(key).cloned(),
                    at,
                    running_since,
                    requests,
                    errors,
                    slow,
                }));
            }
        }
        found
    }

    /// Returns what all instances together counted in each interval that is known, oldest first. The samples stand at
    /// whole intervals behind each other. One in which an instance tells no numbers is not known.
    pub(crate) fn history(&self, interval: u64) -> History {
        let unit = self.reading.unit;
        let bounds: BTreeSet<_> = self.groups.values().flat_map(|group| group.bounds(unit)).collect();
        let bounds: Vec<_> = bounds.into_iter().collect();
        let mut points: BTreeMap<i64, Point> = BTreeMap::new();
        for group in self.groups.values() {
            let mut walk = group.walk();
            let mut before: Option<(i64, Totals)> = None;
            while let Some(step) = walk.step() {
                let now = walk.totals(&bounds, unit);
                let follows = |at: i64| u64::try_from(step.at - at) == Ok(interval);
                if let Some((at, before)) = before.filter(|(at, _)| follows(*at)) {
                    let since = if step.restarted { &Totals::default() } else { &before };
                    let point = points.entry(at).or_default();
                    point.is_spoilt |= !now.are_finite() || !before.are_finite();
                    point.add(&now, since);
                }
                before = Some((step.at, now));
            }
        }
        let points: Vec<Point> = points.into_values().filter(|point| !point.is_spoilt).collect();
        let latency = bounds.into_iter().map(|bound| bucket(bound, &points)).collect();
        History { errors: points.iter().map(|point| point.errors as u64).collect(), latency }
    }
}

/// What happened in one interval.
#[derive(Debug, Default)]
struct Point {
    errors: f64,
    /// Whether an instance told something else than numbers.
    is_spoilt: bool,
    /// The slower requests and all requests of the instances that know the bound.
    slow: BTreeMap<LatencyBound, (f64, f64)>,
}

impl Point {
    fn add(&mut self, now: &Totals, before: &Totals) {
        let errors = |totals: &Totals| totals.errors.unwrap_or(0.0);
        self.errors += (errors(now) - errors(before)).max(0.0);
        let requests = (now.requests - before.requests).max(0.0);
        for (bound, slow) in &now.slow {
            let earlier = before.slow.get(bound).copied().unwrap_or(0.0);
            let sum = self.slow.entry(*bound).or_default();
            sum.0 += (slow - earlier).clamp(0.0, requests);
            sum.1 += requests;
        }
    }
}

fn bucket(bound: LatencyBound, points: &[Point]) -> LatencyBucket {
    let of = |point: &Point| point.slow.get(&bound).copied().unwrap_or_default();
    LatencyBucket {
        bound,
        slower: points.iter().map(|point| of(point).0 as u64).collect(),
        of: points.iter().map(|point| of(point).1 as u64).sum(),
    }
}

fn counted(reading: &Reading, meaning: &Meaning, series: Series<'_>) -> Option<Counts> {
    Some(match meaning.of(series.label("__name__"))? {
        Role::Requests if reading.bad().is(series.label(reading.status_label())) => Counts::Failed,
        Role::Requests => Counts::Requests,
        Role::Errors => Counts::Errors,
        Role::Latency if !series.histograms().is_empty() => Counts::Latency,
        Role::Latency => {
            let le: f64 = series.label("le").parse().ok()?;
            let bound = LatencyBound::from_seconds(le / reading.unit.per_second());
            if le == f64::INFINITY { Counts::Below(None) } else { Counts::Below(Some(bound.ok()?)) }
        }
    })
}

/// Returns what tells a series from all others but those that only tell how requests of the same kind went.
fn name(reading: &Reading, series: Series<'_>) -> String {
    let mut name = String::from("{");
    for (label, value) in series.labels().filter(|(label, _)| reading.distinguishes(label)) {
        if name.len() > 1 {
            name.push(',');
        }
        name.push_str(label);
        name.push('=');
        name.push_str(&crate::promql::quoted(value));
    }
    name.push('}');
    name
}

#[cfg(test)]
#[path = "counters_tests.rs"]
mod tests;
