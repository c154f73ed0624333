//! The contract of [`MetricsSource`].

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::{EnvironmentName, SlotName, Target};
use hotfix_core::port::{CounterSeries, HistoryQuery, MetricsQuery, MetricsSource};

use super::expect::{equal, holds, succeeds};
use super::report::{Outcome, Report, Unmet};
use super::run_cases;

/// What the author of a metrics source provides.
#[async_trait]
pub trait MetricsSourceFixture: Send + Sync {
    /// Makes a target with two slots, neither of which ever had a request.
    async fn site(&self) -> MetricsSite;

    /// Sends requests to a slot, of which so many end in an error, and returns once their counts can be read.
    async fn serve(&self, site: &MetricsSite, slot: &SlotName, requests: u32, errors: u32);
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
        match site.source.scrape(&MetricsQuery { target: site.target.clone(), slots }).await {
            Ok(scrape) => equal("its series", &scrape.series, &Vec::new()),
            Err(_) => Ok(()),
        }
    }

    /// The history has no more points than asked for; a slot without traffic has no errors in it.
    pub async fn the_history_has_at_most_the_asked_points(fixture: &dyn MetricsSourceFixture) -> Outcome {
        let site = fixture.site().await;
        fixture.serve(&site, &site.busy, 5, 1).await;
        for points in [0, 1, 3] {
            let busy = site.history(&site.busy, points).await?;
            holds(busy.len() <= points, &format!("{busy:?} has at most {points} points"))?;
        }
        let idle = site.history(&site.idle, 10).await?;
        holds(idle.iter().all(|errors| *errors == 0), &format!("{idle:?} has no errors"))
    }
}

impl MetricsSite {
    async fn scrape(&self, slots: &[&SlotName]) -> Result<Vec<CounterSeries>, Unmet> {
        let slots = slots.iter().map(|slot| (*slot).clone()).collect();
        let query = MetricsQuery { target: self.target.clone(), slots };
        let scrape = succeeds("scrape", self.source.scrape(&query).await)?;
        equal("the warnings", &scrape.warnings, &Vec::new())?;
        Ok(scrape.series)
    }

    async fn history(&self, slot: &SlotName, points: usize) -> Result<Vec<u64>, Unmet> {
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
