//! Steady traffic on connections that are kept open, and what came of every request.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, header};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::gateway::{Connection, connect};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);

/// The header in which an answer may say which version gave it.
pub const VERSION_HEADER: &str = "x-version";

/// What is asked, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadPlan {
    /// Where to connect to.
    pub address: SocketAddr,
    /// The `Host` of the requests.
    pub host: String,
    /// The path.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Requests per second, all connections together; at least 1.
    pub per_second: u32,
    /// Connections, each kept open until the server closes it; at least 1.
    pub connections: u32,
}

impl LoadPlan {
    /// Plans 100 requests per second to `/` on 4 connections.
    #[must_use]
    pub fn to(address: SocketAddr, host: &str) -> Self {
        let (host, path) = (host.to_owned(), "/".to_owned());
        Self { address, host, path, headers: Vec::new(), per_second: 100, connections: 4 }
    }
}

/// Traffic that goes on until it is stopped.
#[derive(Debug)]
pub struct Load {
    stop: watch::Sender<bool>,
    seen: Arc<Mutex<LoadReport>>,
    clients: JoinSet<()>,
}

/// What came of the requests so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// The requests that were answered or failed.
    pub sent: u64,
    /// Those that got a status of 400 or above, or no whole answer.
    pub failed: u64,
    /// The others by version: what the header [`VERSION_HEADER`] says, else the field `version` of a body that is a
    /// JSON object, else the first line of the body.
    pub by_version: BTreeMap<String, u64>,
    /// All that were answered, by status.
    pub by_status: BTreeMap<u16, u64>,
    /// What went wrong with the first ten that failed.
    pub failures: Vec<String>,
}

impl Load {
    /// Starts the traffic.
    #[must_use]
    pub fn start(plan: LoadPlan) -> Self {
        let (stop, stopped) = watch::channel(false);
        let seen = Arc::<Mutex<LoadReport>>::default();
        let mut clients = JoinSet::new();
        let connections = plan.connections.max(1);
        let pace = Duration::from_secs(1) * connections / plan.per_second.max(1);
        for number in 0..connections {
            let client = Client { plan: plan.clone(), seen: Arc::clone(&seen) };
            let first = Instant::now() + pace * number / connections;
            clients.spawn(client.run(first, pace, stopped.clone()));
        }
        Self { stop, seen, clients }
    }

    /// Returns what came of the requests so far.
    #[must_use]
    pub fn report(&self) -> LoadReport {
        lock(&self.seen).clone()
    }

    /// Waits until that many more requests were answered or failed.
    pub async fn more(&self, requests: u64) {
        let goal = lock(&self.seen).sent + requests;
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while lock(&self.seen).sent < goal {
            look.tick().await;
        }
    }

    /// Lets the requests that are on their way end, sends no more, and returns what came of all.
    pub async fn stop(mut self) -> LoadReport {
        self.stop.send_replace(true);
        while self.clients.join_next().await.is_some() {}
        self.report()
    }
}

#[derive(Debug)]
struct Client {
    plan: LoadPlan,
    seen: Arc<Mutex<LoadReport>>,
}

impl Client {
    async fn run(self, first: Instant, pace: Duration, mut stopped: watch::Receiver<bool>) {
        let mut ticks = interval_at(first, pace);
        // Who was held up does not make up for it: that would be a burst that no client sends.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connection = None;
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                _ = ticks.tick() => {}
            }
            let answer = timeout(ANSWER, self.ask(&mut connection)).await;
            let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            if answer.is_err() {
                connection = None;
            }
            lock(&self.seen).count(answer);
        }
    }

    async fn ask(&self, kept: &mut Option<Connection>) -> io::Result<Response<Bytes>> {
        if let Some(connection) = kept
            && connection.ready().await.is_err()
        {
            *kept = None;
        }
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => connect(self.plan.address).await?,
        };
        let mut request = Request::get(&self.plan.path).header(header::HOST, &self.plan.host);
        for (name, value) in &self.plan.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::default()).map_err(io::Error::other)?;
        let (head, body) = connection.send_request(request).await.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        *kept = Some(connection);
        Ok(Response::from_parts(head, body))
    }
}

impl LoadReport {
    fn count(&mut self, answer: io::Result<Response<Bytes>>) {
        self.sent += 1;
        let failure = match answer {
            Err(error) => error.to_string(),
            Ok(answer) => {
                let status = answer.status();
                *self.by_status.entry(status.as_u16()).or_default() += 1;
                if status.as_u16() < 400 {
                    *self.by_version.entry(version(&answer)).or_default() += 1;
                    return;
                }
                format!("{status}: {}", String::from_utf8_lossy(answer.body()).trim_end())
            }
        };
        self.failed += 1;
        if self.failures.len() < 10 {
            self.failures.push(failure);
        }
    }
}

fn version(answer: &Response<Bytes>) -> String {
    if let Some(said) = answer.headers().get(VERSION_HEADER).and_then(|value| value.to_str().ok()) {
        return said.to_owned();
    }
    let object = serde_json::from_slice::<serde_json::Value>(answer.body());
    let field = object.ok().and_then(|object| object["version"].as_str().map(str::to_owned));
    let first_line = || String::from_utf8_lossy(answer.body()).lines().next().unwrap_or_default().to_owned();
    field.unwrap_or_else(first_line)
}

fn lock(report: &Mutex<LoadReport>) -> MutexGuard<'_, LoadReport> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_where_a_service_says_it() {
        let answer = |header: Option<&str>, body: &'static str| {
            let mut answer = Response::new(Bytes::from_static(body.as_bytes()));
            let headers = answer.headers_mut();
            header.map(|version| headers.insert(VERSION_HEADER, version.parse().unwrap()));
            version(&answer)
        };
        assert_eq!(answer(Some("v3"), r#"{"version": "v2"}"#), "v3");
        assert_eq!(answer(None, r#"{"pod": "a", "version": "v2"}"#), "v2");
        assert_eq!(answer(None, "v1\nmore"), "v1");
        assert_eq!(answer(None, ""), "");
    }
}
