//! One HTTP exchange with a deadline and a limit to the answer.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hotfix_core::model::Period;
use http_body_util::BodyExt as _;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Body, Client, Method, Proxy, RequestBuilder, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::error::ConfigError;
use crate::fault::{Cause, Fault};
use crate::secret::SecretSource;
use crate::tls::TlsConfig;

const LONGEST_WAIT: Period = Period::from_mins(15);
const SHORTEST_WAIT: Period = Period::from_secs(1);

/// How to reach a service over HTTPS.
///
/// Redirects are never followed, and proxies named in the environment are ignored: a request goes where the
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
    /// Whom to trust and what to show.
    pub tls: TlsConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        let (deadline, connect) = (Period::from_secs(10), Period::from_secs(3));
        Self { deadline, connect, proxy: None, tls: TlsConfig::default() }
    }
}

/// How to get to a service when its name alone does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// The address to connect to instead of what the name stands for.
    pub address: Option<(String, SocketAddr)>,
    /// What to speak.
    pub protocol: Protocol,
}

/// What to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without asking first, as gRPC does.
    Http2,
}

/// A client for one service.
pub struct Http {
    client: Client,
    deadline: Duration,
}

/// What a service answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What `Retry-After` asks for, between a second and 15 minutes.
    pub wait: Option<Period>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or why it is not all there.
    pub body: Result<Vec<u8>, Cause>,
    /// What followed a body that was read to its end; most services say nothing more.
    pub trailers: HeaderMap,
}

impl Http {
    /// Builds a client that calls itself by the name.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that cannot work.
    pub fn new(config: &HttpConfig, user_agent: &'static str) -> Result<Self, ConfigError> {
        Self::by(config, user_agent, &Route::default())
    }

    /// As [`Http::new`], by another route.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn by(config: &HttpConfig, user_agent: &'static str, route: &Route) -> Result<Self, ConfigError> {
        if config.connect >= config.deadline {
            let allowed = format!("must be shorter than http.deadline, which is {}", config.deadline);
            return Err(ConfigError::Invalid { field: "http.connect", allowed });
        }
        let builder = Client::builder()
            .user_agent(user_agent)
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
        let builder = match &route.address {
            Some((name, address)) => builder.resolve(name, *address),
            None => builder,
        };
        let builder = match route.protocol {
            Protocol::Http1 => builder.http1_only(),
            Protocol::Http2 => builder.http2_prior_knowledge(),
        };
        let client = config.tls.apply(builder)?.build().map_err(|error| {
            let (what, reason) = ("the HTTPS client", Cause::of(error).text);
            ConfigError::Setup { what, reason }
        })?;
        let deadline = config.deadline.to_duration();
        Ok(Self { client, deadline })
    }

    /// Returns how long a whole exchange may take.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Begins a POST of JSON.
    pub fn post_json(&self, url: Url, json: Vec<u8>) -> RequestBuilder {
        let json_type = (reqwest::header::CONTENT_TYPE, "application/json; charset=utf-8");
        self.client.post(url).header(json_type.0, json_type.1).body(json)
    }

    /// Begins a POST of a form.
    pub fn post_form(&self, url: Url, fields: &[(&str, String)]) -> RequestBuilder {
        self.client.post(url).form(fields)
    }

    /// Begins a request of another method, without a body.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Begins a GET.
    pub fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    /// Sends the request and reads at most that many bytes of the answer's body.
    ///
    /// # Errors
    /// [`Fault`] when there is no answer, saying whether a byte had left.
    pub async fn send(&self, request: RequestBuilder, limit: usize) -> Result<Answer, Fault> {
        self.send_within(request, limit, self.deadline).await
    }

    /// As [`Http::send`], with less time when that is asked for.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn send_within(
        &self,
        request: RequestBuilder,
        limit: usize,
        time: Duration,
    ) -> Result<Answer, Fault> {
        self.exchange(request, Limit::Refuse(limit), time).await
    }

    /// As [`Http::send_within`], but of a longer body it reads only the beginning.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn send_for_beginning(
        &self,
        request: RequestBuilder,
        limit: usize,
        time: Duration,
    ) -> Result<Answer, Fault> {
        self.exchange(request, Limit::Cut(limit), time).await
    }

    async fn exchange(&self, request: RequestBuilder, limit: Limit, time: Duration) -> Result<Answer, Fault> {
        let mut response = request.timeout(time.min(self.deadline)).send().await.map_err(Fault::of)?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut trailers = HeaderMap::new();
        let (wait, body) = (retry_after(&headers), read(response.into(), limit, &mut trailers).await);
        Ok(Answer { status, wait, headers, body, trailers })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("deadline", &self.deadline).finish_non_exhaustive()
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

/// What to do about a body that is longer.
#[derive(Clone, Copy)]
enum Limit {
    Refuse(usize),
    Cut(usize),
}

async fn read(mut answer: Body, limit: Limit, trailers: &mut HeaderMap) -> Result<Vec<u8>, Cause> {
    let mut body = Vec::new();
    while let Some(frame) = answer.frame().await {
        let chunk = match frame.map_err(Cause::of)?.into_data() {
            Ok(chunk) => chunk,
            Err(frame) => {
                trailers.extend(frame.into_trailers().unwrap_or_default());
                continue;
            }
        };
        match limit {
            Limit::Refuse(limit) if body.len() + chunk.len() > limit => return Err(Cause::too_long(limit)),
            Limit::Cut(limit) if body.len() + chunk.len() >= limit => {
                body.extend_from_slice(&chunk[..limit - body.len()]);
                return Ok(body);
            }
            _ => body.extend_from_slice(&chunk),
        }
    }
    Ok(body)
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
#[must_use]
pub fn clamped(wait: Period) -> Period {
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
    fn the_connection_must_have_less_time_than_the_whole() {
        let connect = Period::from_secs(10);
        let config = HttpConfig { connect, ..HttpConfig::default() };
        assert_eq!(
            Http::new(&config, "test").unwrap_err().to_string(),
            "http.connect is not valid: must be shorter than http.deadline, which is 10s"
        );
    }
}
