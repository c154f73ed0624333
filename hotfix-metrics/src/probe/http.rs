//! A look by HTTP.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hotfix_http::{
    Answer, Auth, ConfigError, Credentials, Http, HttpConfig, Protocol, Route, private_endpoint,
    public_endpoint,
};
use reqwest::header::LOCATION;
use reqwest::{Method, Url};

use super::look::Seen;
use super::{Endpoint, HttpAsk, ProbeConfig, ProbeFailureKind, Redirects};

const USER_AGENT: &str = concat!("hotfix-probe/", env!("CARGO_PKG_VERSION"));

#[derive(Debug)]
pub(super) struct HttpLook {
    http: Http,
    url: Url,
    method: Method,
    credentials: Credentials,
    ask: HttpAsk,
}

impl HttpLook {
    pub(super) fn new(config: &ProbeConfig, ask: &HttpAsk, endpoint: &Endpoint) -> Result<Self, ConfigError> {
        let credentials = Credentials::new("probe.ask.headers", Auth::None, ask.headers.clone())?;
        let parse = if credentials.is_empty() { public_endpoint } else { private_endpoint };
        let url = parse("probe.endpoints", &endpoint.at)?;
        let method = ask.method.parse().map_err(|_| ConfigError::Invalid {
            field: "probe.ask.method",
            allowed: format!("{:?} is no method", ask.method),
        })?;
        let http = client(config, endpoint, &url, Protocol::Http1)?;
        Ok(Self { http, url, method, credentials, ask: ask.clone() })
    }

    pub(super) async fn seen(&self, time: Duration) -> Result<(), Seen> {
        let (mut url, mut followed) = (self.url.clone(), 0);
        loop {
            let answer = self.send(url.clone(), time).await?;
            let Redirects::Follow(most) = self.ask.redirects else {
                return self.judge(&answer);
            };
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return self.judge(&answer);
            }
            if followed >= most {
                let cause = format!("status {} after {followed} redirects", answer.status);
                return Err(Seen::new(ProbeFailureKind::Redirect, cause));
            }
            followed += 1;
            url = next(&url, &answer)?;
        }
    }

    async fn send(&self, url: Url, time: Duration) -> Result<Answer, Seen> {
        let here = url.origin() == self.url.origin();
        let request = self.http.request(self.method.clone(), url);
        let request = if here {
            let with = self.credentials.apply(request, time).await;
            with.map_err(|error| Seen::new(ProbeFailureKind::Configuration, error.to_string()))?
        } else {
            request
        };
        let sent = self.http.send_for_beginning(request, self.ask.body_limit, time).await;
        sent.map_err(|fault| Seen::from(fault.into_cause()))
    }

    fn judge(&self, answer: &Answer) -> Result<(), Seen> {
        let body = match &answer.body {
            Ok(body) => body.as_slice(),
            Err(cause) => return Err(cause.clone().into()),
        };
        let (low, high) = self.ask.status;
        if !(low..=high).contains(&answer.status) {
            let cause = format!("status {} instead of {low} to {high}", answer.status);
            return Err(Seen::new(ProbeFailureKind::Status, cause).with_body(body));
        }
        match &self.ask.body {
            Some(wanted) if !holds(body, wanted.as_bytes()) => {
                let cause = format!("the first {} bytes of the body do not hold {wanted:?}", body.len());
                Err(Seen::new(ProbeFailureKind::Body, cause).with_body(body))
            }
            _ => Ok(()),
        }
    }
}

/// Builds a client that has no connection from before: each look makes its own, or keeps one that works.
pub(super) fn client(
    config: &ProbeConfig,
    endpoint: &Endpoint,
    url: &Url,
    protocol: Protocol,
) -> Result<Http, ConfigError> {
    let name = url.host_str().unwrap_or_default().to_owned();
    if let Some(instance) = endpoint.instance {
        check_route(url, instance)?;
    }
    let route = Route { address: endpoint.instance.map(|instance| (name, instance)), protocol };
    let deadline = config.timeout;
    let connect = hotfix_core::model::Period::from_millis(deadline.as_millis().saturating_sub(1));
    let http = HttpConfig { deadline, connect, proxy: None, tls: config.tls.clone() };
    Http::by(&http, USER_AGENT, &route)
}

/// Refuses an instance that would not be asked: an address in the URL is connected to itself, and so is its port.
fn check_route(url: &Url, instance: SocketAddr) -> Result<(), ConfigError> {
    let invalid = |allowed: String| ConfigError::Invalid { field: "probe.endpoints", allowed };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if host.parse::<IpAddr>().is_ok_and(|address| address != instance.ip()) {
        return Err(invalid(format!("must name the service, or nobody asks the instance {instance}")));
    }
    match url.port() {
        Some(port) if port != instance.port() => {
            Err(invalid(format!("must have the port of the instance {instance}, or none")))
        }
        _ => Ok(()),
    }
}

fn next(from: &Url, answer: &Answer) -> Result<Url, Seen> {
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let to = location.and_then(|location| from.join(location).ok());
    to.filter(|to| matches!(to.scheme(), "http" | "https")).ok_or_else(|| {
        Seen::new(ProbeFailureKind::Redirect, format!("status {} leads nowhere", answer.status))
    })
}

fn holds(body: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || body.windows(wanted.len()).any(|part| part == wanted)
}
