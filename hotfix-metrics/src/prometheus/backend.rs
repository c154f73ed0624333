//! The backend: which questions to ask for a scrape and for a history.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use hotfix_core::model::{Period, Target, Timestamp};
use hotfix_core::port::{
    Clock, History, HistoryQuery, Latency, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape,
};
use hotfix_core::{ErrorKind, Result};
use hotfix_http::{ConfigError, Credentials, Http, private_endpoint, public_endpoint};

use super::answer::Answer;
use super::api::{Api, Question, Shared};
use super::config::PrometheusConfig;
use super::failure::{Failure, line};
use crate::promql::Values;
use crate::traffic::{Counters, Meaning, Reading};

const USER_AGENT: &str = concat!("hotfix-metrics/", env!("CARGO_PKG_VERSION"));

/// A server refuses to answer more points than this for one series.
const MOST_POINTS: usize = 10_999;

/// Intervals that are looked at by default: a few scrapes may fail without anything being lost.
const WINDOW_INTERVALS: u64 = 6;

/// Reads counters from Prometheus.
///
/// A clone shares connections and queries under way: give all runs clones of one.
#[derive(Debug, Clone)]
pub struct Prometheus {
    pub(super) api: Api,
    clock: Arc<dyn Clock>,
    pub(super) reading: Arc<Reading>,
    interval: Period,
    window: Period,
    settle: Period,
    /// The shortest time between two samples that was seen last, in milliseconds.
    gaps: Arc<Mutex<BTreeMap<Target, u64>>>,
}

impl Prometheus {
    /// Builds the backend. Nothing is sent yet, and secrets are read when they are.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that cannot work.
    pub fn new(config: &PrometheusConfig, clock: Arc<dyn Clock>) -> std::result::Result<Self, ConfigError> {
        let PrometheusConfig { url, auth, headers, http, answer_limit, interval, window, settle, traffic } =
            config;
        if interval.as_millis() == 0 {
            let allowed = "must be longer than 0s: set it to the scrape_interval of the job".to_owned();
            return Err(ConfigError::Invalid { field: "prometheus.interval", allowed });
        }
        let credentials = Credentials::new("prometheus.auth", auth.clone(), headers.clone())?;
        let endpoint = if credentials.is_empty() { public_endpoint } else { private_endpoint };
        let by_default = Period::from_millis(interval.as_millis().saturating_mul(WINDOW_INTERVALS));
        let api = Api::new(Shared {
            http: Http::new(http, USER_AGENT)?,
            base: endpoint("prometheus.url", &format!("{}/", url.trim_end_matches('/')))?,
            credentials,
            answer_limit: *answer_limit,
            patience: interval.max(&http.deadline).to_duration(),
            post_refused: AtomicBool::new(false),
        });
        let (interval, settle) = (*interval, *settle);
        let window = window.unwrap_or(by_default).max(interval);
        let reading = Arc::new(Reading::new(traffic)?);
        Ok(Self { api, clock, reading, interval, window, settle, gaps: Arc::default() })
    }

    /// Evaluates an expression of your own. Texts from outside belong in it only escaped.
    ///
    /// # Errors
    /// As [`MetricsSource::scrape`].
    pub async fn query(&self, promql: &str, time: Timestamp) -> Result<Arc<Answer>> {
        let question = Question::At { promql: promql.to_owned(), time };
        self.api.ask(question).await.map_err(|failure| failure.into_error("metrics.query"))
    }

    /// Returns the time to ask for, the same for all who ask within a tenth of an interval, so that they share the
    /// answer. It may lie ahead by as much: every sample that is there is found all the same.
    pub(super) fn now(&self) -> Timestamp {
        let grid = i64::try_from(self.interval.as_millis() / 10).unwrap_or(i64::MAX).max(1);
        let now = (self.clock.now() - self.settle.to_delta()).timestamp_millis();
        let aligned = now.div_euclid(grid).saturating_add(1).saturating_mul(grid);
        Timestamp::from_timestamp_millis(aligned).unwrap_or_else(|| self.clock.now())
    }

    /// Refuses samples that are further apart than `interval` says. Who looks several times between two scrapes finds one
    /// slot scraped anew and the other not, as if that had stopped answering.
    fn check_pace(
        &self,
        target: &Target,
        answers: &[(&Meaning, Arc<Answer>)],
    ) -> std::result::Result<(), Failure> {
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = answers.iter().filter_map(|(_, answer)| answer.shortest_gap()).min();
        // The window may be too short for two of them in every answer.
        let Some(gap) = seen.or_else(|| gaps.get(target).copied()) else { return Ok(()) };
        gaps.insert(target.clone(), gap);
        // A scrape may have failed.
        if gap.saturating_mul(2) < self.interval.as_millis().saturating_mul(5) {
            return Ok(());
        }
        let (gap, interval) = (Period::from_millis(gap), self.interval);
        let message = format!(
            "the samples are {gap} apart and not {interval}; set `interval` to the scrape_interval of the job"
        );
        Err(Failure::new(ErrorKind::Invalid, message))
    }

    /// Asks all parts of the reading at once.
    async fn ask(
        &self,
        question: impl Fn(&crate::traffic::Part) -> Question,
    ) -> std::result::Result<Vec<(&Meaning, Arc<Answer>)>, Failure> {
        let asked = self.reading.parts.iter().map(|part| {
            let question = question(part);
            async move { Ok((&part.meaning, self.api.ask(question).await?)) }
        });
        try_join_all(asked).await
    }
}

#[async_trait]
impl MetricsSource for Prometheus {
    fn capabilities(&self) -> MetricsCapabilities {
        let latency = if self.reading.knows_latency() { Latency::Buckets } else { Latency::Unknown };
        MetricsCapabilities { interval: self.interval, latency }
    }

    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape> {
        let MetricsQuery { target, slots, bounds } = query;
        if slots.is_empty() {
            return Ok(Scrape::default());
        }
        let values: Values = self.reading.values(target, slots, bounds);
        let (time, window) = (self.now(), self.window);
        let asked = self.ask(|part| Question::At { promql: part.now.fill(&values, Some(window)), time });
        let answers = asked.await.map_err(|failure| failure.into_error("metrics.scrape"))?;
        self.check_pace(target, &answers).map_err(|failure| failure.into_error("metrics.scrape"))?;
        let counters = Counters::new(&self.reading, target, slots, &answers);
        let warnings = answers.iter().flat_map(|(_, answer)| answer.warnings());
        Ok(Scrape { series: counters.newest(bounds), warnings: warnings.map(|text| line(text)).collect() })
    }

    async fn history(&self, query: &HistoryQuery) -> Result<History> {
        let HistoryQuery { target, slot, interval, points } = query;
        let step = interval.max(&self.interval).as_millis();
        let slots = std::slice::from_ref(slot);
        let values = self.reading.values(target, slots, &[]);
        let points = (*points).min(MOST_POINTS);
        if points == 0 {
            return Ok(History::default());
        }
        let end = self.now();
        let length = Period::from_millis(step.saturating_mul(points as u64));
        let start = end - length.to_delta();
        let asked =
            self.ask(|part| Question::Range { promql: part.past.fill(&values, None), start, end, step });
        let answers = asked.await.map_err(|failure| failure.into_error("metrics.history"))?;
        // What a partial answer says of the past is not what happened.
        if let Some(warning) = answers.iter().flat_map(|(_, answer)| answer.warnings()).next() {
            tracing::warn!(warning = line(warning), "the history is not whole and therefore not used");
            return Ok(History::default());
        }
        Ok(Counters::new(&self.reading, target, slots, &answers).history(step))
    }
}
