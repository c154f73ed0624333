//! Asks the API: POST, or GET where that is all there is, again while there is time, and once for many who ask the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotfix_core::model::Timestamp;
use hotfix_http::{Answer as HttpAnswer, Credentials, Http};
use reqwest::Url;
use tokio::time::Instant;

use super::answer::Answer;
use super::failure::{Again, Failure};
use super::flight::Flights;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// A Prometheus, or a server that speaks like one.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    shared: Arc<Shared>,
    flights: Flights<Result<Arc<Answer>, Failure>>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) http: Http,
    pub(crate) base: Url,
    pub(crate) credentials: Credentials,
    pub(crate) answer_limit: usize,
    /// How long to try.
    pub(crate) patience: Duration,
    pub(crate) post_refused: AtomicBool,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// The value of an expression at a time.
    At {
        /// The expression.
        promql: String,
        /// The time.
        time: Timestamp,
    },
    /// The values of an expression at evenly spaced times.
    Range {
        /// The expression.
        promql: String,
        /// The first time.
        start: Timestamp,
        /// The last time.
        end: Timestamp,
        /// The time between two, in milliseconds.
        step: u64,
    },
}

impl Api {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), flights: Flights::default() }
    }

    /// Asks. Who asks what somebody is asking already gets the same answer, also when the first one goes away.
    pub(crate) async fn ask(&self, question: Question) -> Result<Arc<Answer>, Failure> {
        let shared = Arc::clone(&self.shared);
        self.flights.join(question.key(), || async move { shared.ask(&question).await.map(Arc::new) }).await
    }
}

impl Shared {
    async fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        let end = Instant::now() + self.patience;
        let mut delay = FIRST_DELAY;
        loop {
            let failure = match self.attempt(question, end).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Again::Soon(asked) = failure.again else {
                return Err(failure);
            };
            let wait = delay.max(asked.unwrap_or_default());
            if Instant::now() + wait >= end {
                return Err(failure);
            }
            tracing::debug!(%failure, ?wait, "asking Prometheus again");
            tokio::time::sleep(wait).await;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    }

    async fn attempt(&self, question: &Question, end: Instant) -> Result<Answer, Failure> {
        if !self.post_refused.load(Ordering::Relaxed) {
            let answer = self.send(question, Method::Post, end).await?;
            if !matches!(answer.status, 405 | 501) {
                return read(answer);
            }
            self.post_refused.store(true, Ordering::Relaxed);
        }
        read(self.send(question, Method::Get, end).await?)
    }

    async fn send(&self, question: &Question, method: Method, end: Instant) -> Result<HttpAnswer, Failure> {
        let left = end.saturating_duration_since(Instant::now()).min(self.http.deadline());
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", url.path(), question.path()));
        let timeout = format!("{:.3}", left.as_secs_f64());
        let mut fields = question.fields();
        fields.push(("timeout", timeout));
        let request = match method {
            Method::Post => self.http.post_form(url, &fields),
            Method::Get => {
                url.query_pairs_mut().extend_pairs(fields);
                self.http.get(url)
            }
        };
        let request = self.credentials.apply(request, left).await?;
        Ok(self.http.send_within(request, self.answer_limit, left).await?)
    }
}

#[derive(Clone, Copy)]
enum Method {
    Post,
    Get,
}

impl Question {
    const fn path(&self) -> &'static str {
        match self {
            Self::At { .. } => "api/v1/query",
            Self::Range { .. } => "api/v1/query_range",
        }
    }

    /// What makes two questions the same.
    fn key(&self) -> String {
        let fields = self.fields();
        fields.into_iter().fold(self.path().to_owned(), |key, (name, value)| format!("{key}\n{name}={value}"))
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::At { promql, time } => vec![("query", promql.clone()), ("time", seconds(*time))],
            Self::Range { promql, start, end, step } => vec![
                ("query", promql.clone()),
                ("start", seconds(*start)),
                ("end", seconds(*end)),
                ("step", decimal(i128::from(*step))),
            ],
        }
    }
}

fn seconds(time: Timestamp) -> String {
    decimal(i128::from(time.timestamp_millis()))
}

/// Writes milliseconds as seconds, exactly.
fn decimal(millis: i128) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

fn read(answer: HttpAnswer) -> Result<Answer, Failure> {
    if answer.status != 200 {
        return Err(Failure::of_status(&answer));
    }
    let answer = Answer::parse(&answer.body?)?;
    for info in answer.infos() {
        tracing::info!(info = super::failure::line(info), "Prometheus remarks on a query");
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_exactly() {
        assert_eq!(decimal(1_700_000_000_123), "1700000000.123");
        assert_eq!(decimal(200), "0.200");
        assert_eq!(decimal(-1), "-0.001");
    }
}
