//! The series of one instance and route, put together: all statuses, and the buckets of its histogram.

use std::collections::{BTreeMap, BTreeSet};

use hotfix_core::model::LatencyBound;

use super::Unit;
use crate::prometheus::{Histogram, Series};

/// Bounds are in whole microseconds; those of native histograms are not.
const ROUNDING: f64 = 0.51e-6;

/// Series that belong together.
#[derive(Debug, Default)]
pub(super) struct Group<'a> {
    members: Vec<Member<'a>>,
}

#[derive(Debug)]
struct Member<'a> {
    counts: Counts,
    points: Points<'a>,
}

/// What a member counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Counts {
    /// Requests that ended well.
    Requests,
    /// Requests that ended in an error.
    Failed,
    /// Errors that are among the requests of other members.
    Errors,
    /// Requests not above the bound, or all of them.
    Below(Option<LatencyBound>),
    /// Requests by how slow they were.
    Latency,
}

#[derive(Debug, Clone, Copy)]
enum Points<'a> {
    Floats(&'a [crate::prometheus::Sample]),
    Histograms(&'a [Histogram]),
}

/// What was counted since the instance started.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Totals {
    pub(super) requests: f64,
    pub(super) errors: Option<f64>,
    pub(super) slow: BTreeMap<LatencyBound, f64>,
}

impl Totals {
    /// Returns whether every number is one: whoever tells anything else says nothing of the time around it.
    pub(super) fn are_finite(&self) -> bool {
        self.requests.is_finite() && self.errors.is_none_or(f64::is_finite)
    }
}

impl<'a> Group<'a> {
    pub(super) fn add(&mut self, counts: Counts, series: Series<'a>) {
        let points = if series.histograms().is_empty() {
            Points::Floats(series.samples())
        } else {
            Points::Histograms(series.histograms())
        };
        if points.len() > 0 {
            self.members.push(Member { counts, points });
        }
    }

    /// Returns whether requests are counted at all. A histogram that belongs to no counter of requests says nothing.
    pub(super) fn counts_requests(&self) -> bool {
        self.members.iter().any(|member| matches!(member.counts, Counts::Requests | Counts::Failed))
    }

    /// Returns all bounds that slower requests can be counted of.
    pub(super) fn bounds(&self, unit: Unit) -> BTreeSet<LatencyBound> {
        let classic = self.members.iter().filter_map(|member| match member.counts {
            Counts::Below(bound) => bound,
            _ => None,
        });
        let classic: BTreeSet<_> = classic.collect();
        if !classic.is_empty() {
            return classic;
        }
        let histograms = self.members.iter().flat_map(|member| match member.points {
            Points::Histograms(histograms) => histograms,
            Points::Floats(_) => &[],
        });
        let uppers = histograms.flat_map(|histogram| &histogram.buckets).map(|bucket| bucket.upper);
        uppers.filter_map(|upper| LatencyBound::from_seconds(upper / unit.per_second()).ok()).collect()
    }

    /// Walks through the times at which anything was counted.
    pub(super) fn walk(&self) -> Walk<'_, 'a> {
        let times = self.members.iter().enumerate().flat_map(|(member, Member { points, .. })| {
            (0..points.len()).map(move |point| (points.at(point), member, point))
        });
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        Walk { group: self, times, next: 0, last: vec![None; self.members.len()] }
    }
}

/// Where a walk through the times of a group is.
#[derive(Debug)]
pub(super) struct Walk<'g, 'a> {
    group: &'g Group<'a>,
    times: Vec<(i64, usize, usize)>,
    next: usize,
    /// The newest point of each member since the instance started.
    last: Vec<Option<usize>>,
}

/// A step of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: i64,
    /// Whether the instance started anew since the step before.
    pub(super) restarted: bool,
}

impl Walk<'_, '_> {
    /// Returns the step that comes next without taking it.
    pub(super) fn peek(&self) -> Option<Step> {
        let batch = self.batch()?;
        let at = batch[0].0;
        Some(Step { at, restarted: self.restarts(batch) })
    }

    /// Takes the next step.
    pub(super) fn step(&mut self) -> Option<Step> {
        let step = self.peek()?;
        if step.restarted {
            self.last.fill(None);
        }
        let length = self.batch()?.len();
        for (_, member, point) in &self.times[self.next..self.next + length] {
            self.last[*member] = Some(*point);
        }
        self.next += length;
        Some(step)
    }

    fn batch(&self) -> Option<&[(i64, usize, usize)]> {
        let rest = self.times.get(self.next..)?;
        let at = rest.first()?.0;
        let length = rest.iter().take_while(|(time, ..)| *time == at).count();
        Some(&rest[..length])
    }

    /// An instance that starts anew begins all its counters again: one of them drops, or, where each was born again
    /// under another status, all that were there end and others begin.
    fn restarts(&self, batch: &[(i64, usize, usize)]) -> bool {
        let value = |member: usize, point| self.group.members[member].points.level(point);
        let dropped = |(_, member, point): &(i64, usize, usize)| {
            self.last[*member].is_some_and(|last| value(*member, *point) < value(*member, last))
        };
        if batch.iter().any(dropped) {
            return true;
        }
        let mut known =
            self.last.iter().enumerate().filter_map(|(member, last)| Some((member, (*last)?))).peekable();
        let ended = |(member, last): (usize, usize)| last + 1 == self.group.members[member].points.len();
        known.peek().is_some() && known.all(ended) && batch.iter().all(|(_, _, point)| *point == 0)
    }

    /// Returns what was counted since the instance started, with the slower requests of those bounds that are known.
    pub(super) fn totals(&self, bounds: &[LatencyBound], unit: Unit) -> Totals {
        let mut totals = Totals::default();
        for (member, point) in self.current() {
            let value = member.points.level(point);
            match member.counts {
                Counts::Requests if self.is_request(member) => totals.requests += value,
                Counts::Failed if self.is_request(member) => {
                    totals.requests += value;
                    *totals.errors.get_or_insert(0.0) += value;
                }
                Counts::Errors => *totals.errors.get_or_insert(0.0) += value,
                _ => {}
            }
        }
        let slow = bounds.iter().filter_map(|bound| Some((*bound, self.slower(*bound, unit)?)));
        totals.slow = slow.collect();
        totals
    }

    fn current(&self) -> impl Iterator<Item = (&Member<'_>, usize)> {
        self.group.members.iter().zip(&self.last).filter_map(|(member, last)| Some((member, (*last)?)))
    }

    /// The same requests may be counted as a native histogram beside the classic one.
    fn is_request(&self, member: &Member<'_>) -> bool {
        let classic = |member: &Member<'_>| {
            matches!(member.counts, Counts::Requests | Counts::Failed)
                && matches!(member.points, Points::Floats(_))
        };
        matches!(member.points, Points::Floats(_)) || !self.current().any(|(member, _)| classic(member))
    }

    /// Returns the requests beyond the bound; `None` when they cannot be counted exactly.
    fn slower(&self, bound: LatencyBound, unit: Unit) -> Option<f64> {
        let (mut all, mut below) = ((0_u32, 0.0), (0_u32, 0.0));
        for (member, point) in self.current() {
            let sum = match member.counts {
                Counts::Below(None) => &mut all,
                Counts::Below(Some(known)) if known == bound => &mut below,
                _ => continue,
            };
            *sum = (sum.0 + 1, sum.1 + member.points.level(point));
        }
        if all.0 > 0 {
            // Each status has a histogram of its own; one without the bound would count as slow as a whole.
            let slower = all.1 - below.1;
            return (all.0 == below.0 && slower.is_finite()).then(|| slower.max(0.0));
        }
        let mut slower = None;
        for (member, point) in self.current() {
            if let Points::Histograms(histograms) = member.points {
                let (bound, slack) = (bound.seconds() * unit.per_second(), ROUNDING * unit.per_second());
                *slower.get_or_insert(0.0) += histograms[point].beyond(bound, slack)?;
            }
        }
        slower
    }
}

impl Points<'_> {
    const fn len(self) -> usize {
        match self {
            Self::Floats(samples) => samples.len(),
            Self::Histograms(histograms) => histograms.len(),
        }
    }

    fn at(self, point: usize) -> i64 {
        match self {
            Self::Floats(samples) => samples[point].at,
            Self::Histograms(histograms) => histograms[point].at,
        }
    }

    fn level(self, point: usize) -> f64 {
        match self {
            Self::Floats(samples) => samples[point].value,
            Self::Histograms(histograms) => histograms[point].count,
        }
    }
}
