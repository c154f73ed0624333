//! One HTTP exchange with a deadline and a limit to the answer, and what is known when it fails.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use hotfix_core::model::Period;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Proxy, RequestBuilder, Response, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::clean::Clean;
use crate::error::ConfigError;
use crate::secret::SecretSource;

const LONGEST_WAIT: Period = Period::from_mins(15);
const SHORTEST_WAIT: Period = Period::from_secs(1);
const CAUSE_LIMIT: usize = 240;

/// How to reach a service over HTTPS.
///
/// Redirects are never followed, and proxies named in the environment are ignored: a message goes where the
/// configuration says, or nowhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// How long a whole exchange may take, to the last byte of the answer.
    pub deadline: Period,
    /// How long name, connection and TLS may take; shorter than `deadline`.
    pub connect: Period,
    /// The URL of a proxy, if there is one. A secret, because it may hold a password.
    pub proxy: Option<SecretSource>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { deadline: Period::from_secs(10), connect: Period::from_secs(3), proxy: None }
    }
}

/// A client for one service.
pub(crate) struct Http {
    client: Client,
    deadline: Duration,
}

/// What a service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What `Retry-After` asks for, between a second and 15 minutes.
    pub(crate) wait: Option<Period>,
    /// The body, or why it is not all there.
    pub(crate) body: Result<Vec<u8>, String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No byte of the request left: it surely had no effect.
    NotSent(String),
    /// The request left, or may have.
    Unanswered(String),
}

impl Http {
    pub(crate) fn new(config: &HttpConfig) -> Result<Self, ConfigError> {
        if config.connect >= config.deadline {
            let allowed = format!("must be shorter than http.deadline, which is {}", config.deadline);
            return Err(ConfigError::Invalid { field: "http.connect", allowed });
        }
        let builder = Client::builder()
            .user_agent(concat!("hotfix-notify/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(config.connect.to_duration())
            .pool_idle_timeout(Duration::from_secs(30));
        let builder = match &config.proxy {
            Some(proxy) => builder.proxy(read_proxy(proxy)?),
            None => builder,
        };
        let client = builder.build().map_err(|error| {
            let (what, reason) = ("the HTTPS client", cause(error));
            ConfigError::Setup { what, reason }
        })?;
        let deadline = config.deadline.to_duration();
        Ok(Self { client, deadline })
    }

    /// Returns how long a whole exchange may take.
    pub(crate) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Begins a POST of JSON.
    pub(crate) fn post(&self, url: Url, json: Vec<u8>) -> RequestBuilder {
        let json_type = (reqwest::header::CONTENT_TYPE, "application/json; charset=utf-8");
        self.client.post(url).header(json_type.0, json_type.1).body(json)
    }

    /// Begins a GET.
    pub(crate) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    /// Sends the request and reads at most that many bytes of the answer's body.
    pub(crate) async fn send(&self, request: RequestBuilder, limit: usize) -> Result<Answer, Fault> {
        let response = request.timeout(self.deadline).send().await.map_err(fault)?;
        let status = response.status().as_u16();
        let wait = retry_after(response.headers());
        let body = read(response, limit).await;
        Ok(Answer { status, wait, body })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Parses a URL that secrets are sent to: HTTPS, or plain HTTP to this host. Never shows the text.
pub(crate) fn endpoint(field: &'static str, text: &str) -> Result<Url, ConfigError> {
    let invalid = |allowed: &str| {
        let allowed = allowed.to_owned();
        ConfigError::Invalid { field, allowed }
    };
    let url = Url::parse(text).map_err(|error| invalid(&format!("must be a URL ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("must not hold a user name or a password"));
    }
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err(invalid("must begin with https:// (http:// only to this host)")),
    }
}

fn read_proxy(proxy: &SecretSource) -> Result<Proxy, ConfigError> {
    let field = "http.proxy";
    let url = proxy.read(field)?;
    Proxy::all(url.expose_secret()).map_err(|_| {
        let allowed = "must be a URL such as http://proxy.example.com:3128".to_owned();
        ConfigError::Invalid { field, allowed }
    })
}

async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(cause)? {
        if body.len() + chunk.len() > limit {
            return Err(format!("the answer is longer than {limit} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn fault(error: reqwest::Error) -> Fault {
    // A connection that was never made or a request that could not be built carried nothing.
    if error.is_connect() || error.is_builder() {
        Fault::NotSent(cause(error))
    } else {
        Fault::Unanswered(cause(error))
    }
}

/// Returns the error and its causes on one line, without the URL.
fn cause(error: reqwest::Error) -> String {
    if error.is_timeout() {
        let missing = if error.is_connect() { "no connection" } else { "no whole answer" };
        return format!("{missing} in time");
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    Clean::line(&text).cut(CAUSE_LIMIT, str::len).as_str().to_owned()
}

/// Reads `Retry-After` as seconds or as a date, which is compared with the answer's own `Date`: the clocks of the two
/// hosts may differ.
fn retry_after(headers: &HeaderMap) -> Option<Period> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    let wait = match asked.parse::<u64>() {
        Ok(seconds) => Period::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(asked).ok()?;
            let now = httpdate::parse_http_date(text(DATE)?).ok()?;
            Period::from_secs(until.duration_since(now).unwrap_or_default().as_secs())
        }
    };
    Some(clamped(wait))
}

/// Returns the wait, at least a second and at most 15 minutes.
pub(crate) fn clamped(wait: Period) -> Period {
    wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_clamped() {
        let date = Some("Sat, 21 Nov 2026 10:00:00 GMT");
        for (asked, now, expected) in [
            ("30", None, Some(Period::from_secs(30))),
            (" 5 ", None, Some(Period::from_secs(5))),
            ("0", None, Some(Period::from_secs(1))),
            ("86400", None, Some(Period::from_mins(15))),
            ("18446744073709551615", None, Some(Period::from_mins(15))),
            ("Sat, 21 Nov 2026 10:00:45 GMT", date, Some(Period::from_secs(45))),
            ("Sat, 21 Nov 2026 09:00:00 GMT", date, Some(Period::from_secs(1))),
            ("Sat, 21 Nov 2026 10:00:45 GMT", None, None),
            ("soon", date, None),
            ("-1", date, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, asked.parse().unwrap());
            if let Some(now) = now {
                headers.insert(DATE, now.parse().unwrap());
            }
            assert_eq!(retry_after(&headers), expected, "{asked}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn secrets_travel_only_by_https_or_within_the_host() {
        for good in
            ["https://slack.com/api/", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/x"]
        {
            assert!(endpoint("f", good).is_ok(), "{good}");
        }
        for (bad, message) in [
            ("http://slack.com/", "f is not valid: must begin with https:// (http:// only to this host)"),
            ("file:///etc/passwd", "f is not valid: must begin with https:// (http:// only to this host)"),
            ("https://u:canary@h/", "f is not valid: must not hold a user name or a password"),
            ("canary", "f is not valid: must be a URL (relative URL without a base)"),
        ] {
            assert_eq!(endpoint("f", bad).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn the_connection_must_have_less_time_than_the_whole() {
        let connect = Period::from_secs(10);
        let config = HttpConfig { connect, ..HttpConfig::default() };
        assert_eq!(
            Http::new(&config).unwrap_err().to_string(),
            "http.connect is not valid: must be shorter than http.deadline, which is 10s"
        );
    }
}
