//! One look at one endpoint, timed and judged.

use std::fmt;
use std::time::Duration;

use hotfix_core::model::{Period, Timestamp};
use hotfix_http::{Cause, CauseKind, Clean, ConfigError};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::grpc::GrpcLook;
use super::http::HttpLook;
use super::{Ask, Endpoint, ProbeConfig, ProbeFailure, ProbeFailureKind};

const BODY_SHOWN: usize = 2048;

/// A look that can be taken.
#[derive(Debug)]
pub(super) struct Look {
    way: Way,
    timeout: Duration,
    latency_limit: Option<Period>,
}

#[derive(Debug)]
enum Way {
    Http(HttpLook),
    Tcp(String),
    Grpc(GrpcLook),
}

/// Why a look failed, before it is known when and after how long.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) kind: ProbeFailureKind,
    pub(super) cause: String,
    pub(super) body: Option<Vec<u8>>,
}

impl Seen {
    pub(super) fn new(kind: ProbeFailureKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), body: None }
    }

    /// Says when it was, and after how long. Whatever the cause quotes, it is one line without secrets.
    pub(super) fn failure(self, at: Timestamp, took: Period) -> ProbeFailure {
        let body = self.body.map(|body| {
            let text = Clean::lines(&String::from_utf8_lossy(&body));
            text.cut(BODY_SHOWN, str::len).as_str().to_owned()
        });
        let cause = Clean::line(&self.cause).as_str().to_owned();
        ProbeFailure { at, took, kind: self.kind, cause, body }
    }

    pub(super) fn with_body(self, body: &[u8]) -> Self {
        Self { body: (!body.is_empty()).then(|| body.to_vec()), ..self }
    }
}

impl From<Cause> for Seen {
    fn from(cause: Cause) -> Self {
        let kind = match cause.kind {
            CauseKind::Timeout => ProbeFailureKind::Timeout,
            CauseKind::CertificateExpired => ProbeFailureKind::CertificateExpired,
            CauseKind::CertificateInvalid => ProbeFailureKind::CertificateInvalid,
            CauseKind::Configuration => ProbeFailureKind::Configuration,
            _ => ProbeFailureKind::Connection,
        };
        Self::new(kind, cause.text)
    }
}

impl Look {
    pub(super) fn new(config: &ProbeConfig, endpoint: &Endpoint) -> Result<Self, ConfigError> {
        let way = match &config.ask {
            Ask::Http(ask) => Way::Http(HttpLook::new(config, ask, endpoint)?),
            Ask::Tcp => Way::Tcp(tcp_address(endpoint)?),
            Ask::Grpc { service } => Way::Grpc(GrpcLook::new(config, service, endpoint)?),
        };
        Ok(Self { way, timeout: config.timeout.to_duration(), latency_limit: config.latency_limit })
    }

    /// Looks, and returns how long it took if all was well.
    pub(super) async fn at(&self, at: Timestamp) -> Result<Period, ProbeFailure> {
        let began = Instant::now();
        let seen = match tokio::time::timeout(self.timeout, self.seen()).await {
            Ok(seen) => seen,
            Err(_elapsed) => Err(Seen::new(ProbeFailureKind::Timeout, "no whole answer in time")),
        };
        let took = Period::from_millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        let late = self.latency_limit.filter(|limit| took > *limit);
        let seen = seen.and_then(|()| match late {
            Some(limit) => {
                Err(Seen::new(ProbeFailureKind::TooSlow, format!("took {took} instead of at most {limit}")))
            }
            None => Ok(()),
        });
        seen.map(|()| took).map_err(|seen| seen.failure(at, took))
    }

    async fn seen(&self) -> Result<(), Seen> {
        match &self.way {
            Way::Http(look) => look.seen(self.timeout).await,
            Way::Grpc(look) => look.seen(self.timeout).await,
            Way::Tcp(address) => match TcpStream::connect(address).await {
                Ok(_connection) => Ok(()),
                Err(error) => Err(Seen::new(ProbeFailureKind::Connection, error.to_string())),
            },
        }
    }
}

/// Returns where to connect to. What is no address would fail at every look, as if the service were down.
fn tcp_address(endpoint: &Endpoint) -> Result<String, ConfigError> {
    if let Some(instance) = endpoint.instance {
        return Ok(instance.to_string());
    }
    let parts = endpoint.at.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains('/'));
    match parts.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(port)) if port > 0 => Ok(endpoint.at.clone()),
        _ => {
            let allowed = format!("{:?} is no host and port, such as shop.example:5432", endpoint.at);
            Err(ConfigError::Invalid { field: "probe.endpoints", allowed })
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}
