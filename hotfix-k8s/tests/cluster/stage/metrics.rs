//! What the pods count themselves, and what a monitoring system makes of that on a bad day.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hotfix_core::port::{History, HistoryQuery, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape};
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_testkit::cluster::PodMetrics;
use kube::Client;

use super::super::site::{app, members, slot};
use super::LOOK;

/// What one reading of the counters gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// What the pods counted.
    Counts,
    /// No series at all.
    Nothing,
    /// Series whose values are not numbers.
    NotANumber,
    /// No answer.
    NoAnswer,
}

/// The counters of the pods, or what is told in their place.
#[derive(Debug, Clone)]
pub(crate) struct ToldMetrics {
    pods: Arc<PodMetrics>,
    /// What the next readings give, over and over again.
    turns: Arc<Mutex<VecDeque<Telling>>>,
}

/// The counters of the pods of both slots, wherever those are told apart by the slot that they were staged in.
pub(crate) fn pod_metrics(client: Client, namespace: &str) -> PodMetrics {
    let slots = ["main", "hotfix"].map(slot).map(|slot| (slot.clone(), members(app(&slot)).to_owned()));
    PodMetrics::new(client, namespace, LOOK, slots)
}

impl ToldMetrics {
    pub(super) fn of(pods: PodMetrics) -> Self {
        Self { pods: Arc::new(pods), turns: Arc::new(Mutex::new(VecDeque::from([Telling::Counts]))) }
    }

    /// Has the readings give this from now on, one after the other, and again from the start.
    pub(crate) fn tell(&self, turns: &[Telling]) {
        *self.turns.lock().expect("turns") = turns.iter().copied().collect();
    }

    fn turn(&self) -> Telling {
        let mut turns = self.turns.lock().expect("turns");
        turns.rotate_left(1);
        turns.back().copied().unwrap_or(Telling::Counts)
    }
}

#[async_trait]
impl MetricsSource for ToldMetrics {
    fn capabilities(&self) -> MetricsCapabilities {
        self.pods.capabilities()
    }

    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape> {
        match self.turn() {
            Telling::Counts => self.pods.scrape(query).await,
            Telling::Nothing => Ok(Scrape::default()),
            Telling::NotANumber => {
                let mut scrape = self.pods.scrape(query).await?;
                scrape.series.iter_mut().for_each(|series| series.requests = f64::NAN);
                Ok(scrape)
            }
            Telling::NoAnswer => Err(Error::new(ErrorKind::Unavailable, "scrape", "connection refused")),
        }
    }

    async fn history(&self, query: &HistoryQuery) -> Result<History> {
        self.pods.history(query).await
    }
}
