//! What to look at, how often, and what is good.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use hotfix_core::model::Period;
use hotfix_http::{SecretSource, TlsConfig};
use serde::{Deserialize, Serialize};

/// A health check of a service, by each of its endpoints.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// What it is called in evidence.
    pub name: String,
    /// Where to look. What is named twice is looked at once.
    pub endpoints: Vec<Endpoint>,
    /// At whom to look behind each of them.
    pub instances: Instances,
    /// How to ask.
    pub ask: Ask,
    /// How long from one look to the next.
    pub interval: Period,
    /// For how long to look.
    pub duration: Period,
    /// After how many failures in a row an endpoint is unhealthy.
    pub failure_threshold: u32,
    /// How long a look may take, to the last byte that is read.
    pub timeout: Period,
    /// Above what a look that ends well is a failure all the same.
    pub latency_limit: Option<Period>,
    /// Whom to trust and what to show.
    pub tls: TlsConfig,
}

impl Default for ProbeConfig {
    /// Looks every 5 s for 5 min, and gives up after 3 failures in a row.
    fn default() -> Self {
        Self {
            name: "health".to_owned(),
            endpoints: Vec::new(),
            instances: Instances::default(),
            ask: Ask::default(),
            interval: Period::from_secs(5),
            duration: Period::from_mins(5),
            failure_threshold: 3,
            timeout: Period::from_secs(2),
            latency_limit: None,
            tls: TlsConfig::default(),
        }
    }
}

/// At whom to look behind an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instances {
    /// Whoever answers, or the instance that the endpoint names.
    #[default]
    Any,
    /// Each address that the name in the endpoint leads to, as the name of a headless Service leads to its pods. It is
    /// asked for before each look, so new instances are looked at, and those that it no longer leads to are not.
    ///
    /// Who says where it leads may be late, as DNS is by the time to live of its answers: an instance that is gone fails
    /// for so long. `interval` times `failure_threshold` should be longer.
    Each,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// A URL for HTTP and gRPC (`https://shop.example/healthz`, `http://10.1.2.3:50051`), host and port for TCP.
    pub at: String,
    /// The address of one instance, which is asked under the name in `at`: certificates and virtual hosts stay those of
    /// the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<SocketAddr>,
}

impl Endpoint {
    /// Looks where the name leads.
    #[must_use]
    pub fn new(at: impl Into<String>) -> Self {
        Self { at: at.into(), instance: None }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instance {
            Some(instance) => write!(f, "{} at {instance}", self.at),
            None => f.write_str(&self.at),
        }
    }
}

/// How to ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// An HTTP request.
    Http(HttpAsk),
    /// A connection is enough.
    Tcp,
    /// `grpc.health.v1.Health/Check` for a service; an empty name is the whole server.
    Grpc {
        /// The service.
        #[serde(default)]
        service: String,
    },
}

impl Default for Ask {
    fn default() -> Self {
        Self::Http(HttpAsk::default())
    }
}

/// An HTTP request, and what a good answer is.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpAsk {
    /// The method.
    pub method: String,
    /// Headers of your own. Secrets; a redirect to another host does not get them.
    pub headers: BTreeMap<String, SecretSource>,
    /// The lowest and the highest good status.
    pub status: (u16, u16),
    /// What the beginning of the body must hold.
    pub body: Option<String>,
    /// How many bytes of the body to read.
    pub body_limit: usize,
    /// What to do about redirects.
    pub redirects: Redirects,
}

impl Default for HttpAsk {
    /// A GET that is answered with 200 to 299.
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            headers: BTreeMap::new(),
            status: (200, 299),
            body: None,
            body_limit: 64 * 1024,
            redirects: Redirects::Judge,
        }
    }
}

/// What to do about redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// Take it for the answer, which its status is mostly not good for: a login page is no health.
    #[default]
    Judge,
    /// Follow, but not more often than this.
    Follow(u8),
}
