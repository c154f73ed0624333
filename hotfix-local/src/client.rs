//! Asking the agent of a state directory over its admin port.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hotfix_core::model::Target;
use hotfix_core::port::{History, HistoryQuery};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::agent::{AgentRecord, Report, SeriesReport, Until};
use crate::error::LocalError;
use crate::layout::Root;

/// A client of the agent, which is looked up anew for every question: it may have been started again meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct AgentClient {
    root: Root,
}

/// Time for the answer itself, beside the time it is to be waited with.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Largest answer that is read; a report is a few kilobytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

impl AgentClient {
    pub(crate) fn new(root: Root) -> Self {
        Self { root }
    }

    /// Whether an agent is there at all.
    pub(crate) async fn answers(&self) -> bool {
        self.get("/", Duration::ZERO).await.is_ok()
    }

    /// Returns the target's report once it is as asked, or the present one after `wait`.
    pub(crate) async fn report(
        &self,
        target: &Target,
        until: Until,
        wait: Duration,
    ) -> Result<Report, LocalError> {
        let Until { version_not, seen, routed, settled } = until;
        let other = version_not.map_or_else(String::new, |version| format!("version_not={version}&"));
        let wait_ms = wait.as_millis();
        let query = format!("{other}seen={seen}&routed={routed}&settled={settled}&wait_ms={wait_ms}");
        self.ask(target, &format!("/v1/report/{target}?{query}"), wait).await
    }

    /// Returns the target's counters as they are now.
    pub(crate) async fn counters(&self, target: &Target) -> Result<Vec<SeriesReport>, LocalError> {
        self.ask(target, &format!("/v1/counters/{target}"), Duration::ZERO).await
    }

    /// Returns the past of a slot.
    pub(crate) async fn history(&self, query: &HistoryQuery) -> Result<History, LocalError> {
        let (slot, interval, points) = (&query.slot, query.interval.as_millis(), query.points);
        let path = format!("/v1/history/{}?slot={slot}&interval_ms={interval}&points={points}", query.target);
        self.ask(&query.target, &path, Duration::ZERO).await
    }

    /// An error of the agent that is not about an answer.
    pub(crate) fn failure(&self, request: &str, reason: String) -> LocalError {
        match self.address() {
            Ok(address) => LocalError::Agent { address, request: request.to_owned(), reason },
            Err(down) => down,
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        target: &Target,
        path: &str,
        wait: Duration,
    ) -> Result<T, LocalError> {
        let (address, status, body) = self.get(path, wait).await?;
        let failed =
            |reason: String| LocalError::Agent { address, request: format!("answer {path}"), reason };
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(|error| failed(error.to_string())),
            StatusCode::NOT_FOUND => {
                Err(LocalError::NoTarget { target: target.clone(), root: self.root.path().to_owned() })
            }
            _ => Err(failed(format!("{status}: {}", String::from_utf8_lossy(&body).trim_end()))),
        }
    }

    async fn get(&self, path: &str, wait: Duration) -> Result<(SocketAddr, StatusCode, Bytes), LocalError> {
        let address = self.address()?;
        let failed =
            |reason: String| LocalError::Agent { address, request: format!("answer {path}"), reason };
        let connected = timeout(ANSWER_LIMIT, TcpStream::connect(address)).await;
        let Ok(Ok(stream)) = connected else {
            return Err(self.down());
        };
        match timeout(wait + ANSWER_LIMIT, exchange(stream, address, path)).await {
            Ok(Ok((status, body))) => Ok((address, status, body)),
            Ok(Err(reason)) => Err(failed(reason)),
            Err(_) => Err(failed("no answer in time".to_owned())),
        }
    }

    fn address(&self) -> Result<SocketAddr, LocalError> {
        let record = read_record(&self.root.agent_address()).filter(|record| record.process.is_alive());
        record.map(|record| record.address).ok_or_else(|| self.down())
    }

    fn down(&self) -> LocalError {
        LocalError::AgentDown { root: self.root.path().to_owned() }
    }
}

fn read_record(path: &Path) -> Option<AgentRecord> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

async fn exchange(stream: TcpStream, address: SocketAddr, path: &str) -> Result<(StatusCode, Bytes), String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let request = Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let answering = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER);
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    };
    tokio::pin!(answering);
    tokio::select! {
        answered = &mut answering => answered,
        // The connection ends as soon as everything was read, which may be before the body was collected.
        _ = connection => answering.await,
    }
}
