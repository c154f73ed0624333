//! The contract of [`MetricsSource`].

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::{EnvironmentName, LatencyBound, Period, SlotName, Target};
use hotfix_core::port::{CounterSeries, History, HistoryQuery, Latency, MetricsQuery, MetricsSource};

use super::expect::{equal, holds, offered, succeeds};
use super::report::{Outcome, Report, Unmet};
use super::run_cases;

/// What the author of a metrics source provides.
#[async_trait]
pub trait MetricsSourceFixture: Send + Sync {
    /// Makes a target with two slots, neither of which ever had a request.
    async fn site(&self) -> MetricsSite;

    /// Sends requests to a slot, of which so many end in an error, and returns once their counts can be read.
    async fn serve(&self, site: &MetricsSite, slot: &SlotName, requests: u32, errors: u32);

    /// Sends requests to a slot that take at least so long each and end without an error, and returns once their
    /// counts can be read. Not called for a source that does not know latencies.
    async fn serve_slowly(&self, site: &MetricsSite, slot: &SlotName, requests: u32, least: Period);
}

/// A target that is ready for one case.
#[derive(Debug, Clone)]
pub struct MetricsSite {
    /// The backend.
    pub source: Arc<dyn MetricsSource>,
    /// The target.
    pub target: Target,
    /// The slot that the cases send requests to.
    pub busy: SlotName,
    /// The slot that gets none.
    pub idle: SlotName,
}

/// Runs every case.
///
/// # Panics
/// If a case is broken; the message names each.
pub async fn all(fixture: &dyn MetricsSourceFixture) {
    report(fixture).await.assert_kept();
}

/// Runs every case and returns what came out.
pub async fn report(fixture: &dyn MetricsSourceFixture) -> Report {
    let mut report = Report::new("metrics_source");
    run_cases!(report, fixture, [cases::{
        the_interval_is_positive,
        requests_and_errors_are_counted_raw,
        counters_only_rise_and_series_keep_their_names,
        a_slot_without_traffic_counts_nothing,
        only_the_asked_slots_are_told,
        an_unknown_target_has_no_series,
        the_history_has_at_most_the_asked_points,
        slow_requests_are_counted_raw_at_every_known_bound,
        a_bound_that_cannot_be_counted_is_left_out,
        the_history_tells_how_slow_requests_were,
        a_source_without_latencies_tells_none,
    }]);
    report
}

/// The cases, one per sentence of the contract.
pub mod cases {
    use super::*;

    /// New values appear after some time, which the capabilities tell.
    pub async fn the_interval_is_positive(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let interval = fixture.site().await.source.capabilities().interval;
        holds(interval.as_millis() > 0, "the interval is longer than nothing")
    }

    /// Every request and every error is counted once: the very first ones too, with no rate and no extrapolation.
    pub async fn requests_and_errors_are_counted_raw(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let site = fixture.site().await;
        fixture.serve(&site, &site.busy, 7, 0).await;
        equal("after the first requests", &totals(&site.scrape(&[&site.busy]).await?), &(7.0, 0.0))?;
        fixture.serve(&site, &site.busy, 13, 5).await;
        equal("after some errors", &totals(&site.scrape(&[&site.busy]).await?), &(20.0, 5.0))
    }

    /// Without a restart no counter falls, no series disappears, and no reading is older than one before.
    pub async fn counters_only_rise_and_series_keep_their_names(
        fixture: &dyn MetricsSourceFixture,
    ) -> Outcome {
        let site = fixture.site().await;
        fixture.serve(&site, &site.busy, 5, 1).await;
        let mut before = site.scrape(&[&site.busy]).await?;
        for _ in 0..3 {
            fixture.serve(&site, &site.busy, 4, 1).await;
            let after = site.scrape(&[&site.busy]).await?;
            for old in &before {
                let new = after.iter().find(|new| new.series == old.series);
                let rose = new.is_some_and(|new| {
                    new.requests >= old.requests && new.errors >= old.errors && new.at >= old.at
                });
                holds(rose, &format!("{old:?} is followed by a later reading that is not lower: {new:?}"))?;
            }
            before = after;
        }
        Ok(())
    }

    /// A slot without traffic is absent, or its counters stand at zero.
    pub async fn a_slot_without_traffic_counts_nothing(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let site = fixture.site().await;
        fixture.serve(&site, &site.busy, 5, 1).await;
        let series = site.scrape(&[&site.busy, &site.idle]).await?;
        let (busy, idle): (Vec<_>, Vec<_>) = series.into_iter().partition(|series| series.slot == site.busy);
        holds(idle.iter().all(|series| series.slot == site.idle), "every series belongs to an asked slot")?;
        equal("the busy slot", &totals(&busy), &(5.0, 1.0))?;
        equal("the idle slot", &totals(&idle), &(0.0, 0.0))
    }

    /// A slot that was not asked for is not told.
    pub async fn only_the_asked_slots_are_told(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let site = fixture.site().await;
        fixture.serve(&site, &site.busy, 5, 1).await;
        equal("the idle slot alone", &totals(&site.scrape(&[&site.idle]).await?), &(0.0, 0.0))?;
        equal("no slot", &site.scrape(&[]).await?, &Vec::new())
    }

    /// A target that does not exist has no series, or reading it fails; it never shows those of another.
    pub async fn an_unknown_target_has_no_series(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let mut site = fixture.site().await;
        fixture.serve(&site, &site.busy, 5, 1).await;
        site.target = elsewhere(&site.target);
        let slots = vec![site.busy.clone()];
        let query = MetricsQuery { target: site.target.clone(), slots, bounds: Vec::new() };
        match site.source.scrape(&query).await {
            Ok(scrape) => equal("its series", &scrape.series, &Vec::new()),
            Err(_) => Ok(()),
        }
    }

    /// The history has no more points than asked for; a slot without traffic has no errors in it.
    pub async fn the_history_has_at_most_the_asked_points(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let site = fixture.site().await;
        fixture.serve(&site, &site.busy, 5, 1).await;
        for points in [0, 1, 3] {
            let busy = site.history(&site.busy, points).await?.errors;
            holds(busy.len() <= points, &format!("{busy:?} has at most {points} points"))?;
        }
        let idle = site.history(&site.idle, 10).await?.errors;
        holds(idle.iter().all(|errors| *errors == 0), &format!("{idle:?} has no errors"))
    }

    /// Requests that took longer than an asked bound are counted once, of every series, from the start of the instance
    /// on; a slow request is slower than every lower bound too.
    pub async fn slow_requests_are_counted_raw_at_every_known_bound(
        fixture: &dyn MetricsSourceFixture,
    ) -> Outcome {
        let site = fixture.site().await;
        let bounds = site.bounds_below(SLOW, fixture).await?;
        let (lowest, highest) = (bounds[0], bounds[bounds.len() - 1]);
        let quick = site.slow_at(lowest).await?;
        fixture.serve_slowly(&site, &site.busy, 3, SLOW).await;
        fixture.serve(&site, &site.busy, 4, 1).await;
        let series = site.scrape_beyond(&bounds).await?;
        let total = |bound| series.iter().filter_map(|series| series.slow.get(&bound)).sum::<f64>();
        equal(&format!("slower than {highest}"), &total(highest), &3.0)?;
        holds(total(lowest) >= quick + 3.0, &format!("{} are slower than {lowest}", total(lowest)))?;
        let descends = bounds.windows(2).all(|pair| total(pair[0]) >= total(pair[1]));
        holds(descends, "no more requests are slower than a higher bound")?;
        let fits = |series: &CounterSeries| series.slow.values().all(|slow| *slow <= series.requests);
        holds(series.iter().all(fits), "no series has more slow requests than requests")
    }

    /// Only asked bounds are told, and of these only those that can be counted exactly: nothing is interpolated.
    pub async fn a_bound_that_cannot_be_counted_is_left_out(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let site = fixture.site().await;
        let bounds = site.bounds_below(SLOW, fixture).await?;
        let between = (1..).map(|micros| bounds[0].micros() + micros);
        let between = between.filter_map(|micros| LatencyBound::from_micros(micros).ok());
        let unknown = between.into_iter().find(|bound| !bounds.contains(bound));
        let asked: Vec<_> = unknown.into_iter().chain([bounds[0]]).collect();
        for series in site.scrape_beyond(&asked).await? {
            let told: Vec<_> = series.slow.keys().copied().collect();
            equal(&format!("the bounds of {}", series.series), &told, &vec![bounds[0]])?;
        }
        let told = site.scrape(&[&site.busy]).await?;
        holds(told.iter().all(|series| series.slow.is_empty()), "no bound is told that was not asked for")
    }

    /// The history has the slow requests of the same points as the errors, among all requests of these points.
    pub async fn the_history_tells_how_slow_requests_were(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let site = fixture.site().await;
        site.bounds_below(SLOW, fixture).await?;
        fixture.serve_slowly(&site, &site.busy, 3, SLOW).await;
        fixture.serve(&site, &site.busy, 4, 1).await;
        let history = site.history(&site.busy, 3).await?;
        let bounds: Vec<_> = history.latency.iter().map(|bucket| bucket.bound).collect();
        holds(bounds.is_sorted_by(|a, b| a < b), &format!("{bounds:?} ascend"))?;
        for bucket in &history.latency {
            let what = format!("the points of {}", bucket.bound);
            equal(&what, &bucket.slower.len(), &history.errors.len())?;
            let slow = bucket.slower.iter().sum::<u64>();
            holds(slow <= bucket.of, &format!("{slow} of {} are slower than {}", bucket.of, bucket.bound))?;
        }
        Ok(())
    }

    /// A source that says that it knows no latencies answers no bound and tells no buckets.
    pub async fn a_source_without_latencies_tells_none(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let site = fixture.site().await;
        let unknown = site.source.capabilities().latency == Latency::Unknown;
        offered(unknown, "not to know latencies")?;
        fixture.serve(&site, &site.busy, 5, 1).await;
        let bounds: Vec<_> = LatencyBound::from_micros(250_000).into_iter().collect();
        let told = site.scrape_beyond(&bounds).await?;
        holds(told.iter().all(|series| series.slow.is_empty()), "no bound is answered")?;
        equal("the buckets", &site.history(&site.busy, 3).await?.latency, &Vec::new())
    }
}

/// What a slow request takes at the least: beyond several bounds of every common histogram.
const SLOW: Period = Period::from_millis(120);

impl MetricsSite {
    async fn scrape(&self, slots: &[&SlotName]) -> Result<Vec<CounterSeries>, Unmet> {
        self.read(slots, &[]).await
    }

    /// Reads the busy slot.
    async fn scrape_beyond(&self, bounds: &[LatencyBound]) -> Result<Vec<CounterSeries>, Unmet> {
        self.read(&[&self.busy], bounds).await
    }

    async fn read(&self, slots: &[&SlotName], bounds: &[LatencyBound]) -> Result<Vec<CounterSeries>, Unmet> {
        let slots = slots.iter().map(|slot| (*slot).clone()).collect();
        let query = MetricsQuery { target: self.target.clone(), slots, bounds: bounds.to_vec() };
        let scrape = succeeds("scrape", self.source.scrape(&query).await)?;
        equal("the warnings", &scrape.warnings, &Vec::new())?;
        Ok(scrape.series)
    }

    /// How many requests of the busy slot were slower so far.
    async fn slow_at(&self, bound: LatencyBound) -> Result<f64, Unmet> {
        let series = self.scrape_beyond(&[bound]).await?;
        Ok(series.iter().filter_map(|series| series.slow.get(&bound)).sum())
    }

    /// Serves a little, and returns the bounds below a time that the source tells of then, ascending.
    async fn bounds_below(
        &self,
        time: Period,
        fixture: &dyn MetricsSourceFixture,
    ) -> Result<Vec<LatencyBound>, Unmet> {
        offered(self.source.capabilities().latency == Latency::Buckets, "to know latencies")?;
        fixture.serve(self, &self.busy, 5, 0).await;
        let history = self.history(&self.busy, 3).await?;
        let below = |bound: &LatencyBound| bound.micros() < time.as_millis() * 1000;
        let bounds: Vec<_> = history.latency.iter().map(|bucket| bucket.bound).filter(below).collect();
        holds(!bounds.is_empty(), &format!("the history has a bound below {time}"))?;
        Ok(bounds)
    }

    async fn history(&self, slot: &SlotName, points: usize) -> Result<History, Unmet> {
        let query = HistoryQuery {
            target: self.target.clone(),
            slot: slot.clone(),
            interval: self.source.capabilities().interval,
            points,
        };
        succeeds("history", self.source.history(&query).await)
    }
}

/// Returns requests and errors of all series; no error series means no errors.
fn totals(series: &[CounterSeries]) -> (f64, f64) {
    let errors = |series: &CounterSeries| series.errors.unwrap_or(0.0);
    (series.iter().map(|series| series.requests).sum(), series.iter().map(errors).sum())
}

/// The service of a target in an environment that no fixture has.
fn elsewhere(target: &Target) -> Target {
    let environment = EnvironmentName::new("no-such-environment").expect("a valid name");
    Target::new(environment, target.service.clone())
}
