//! Silences in Alertmanager for what was planned: made once, found again after a crash, and lifted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hotfix_core::model::{RunId, Timestamp};
use hotfix_core::port::Clock;
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_http::{
    Answer, Auth, ConfigError, Credentials, Http, HttpConfig, SecretSource, private_endpoint, public_endpoint,
};
use reqwest::{Method, RequestBuilder, Url};
use serde::{Deserialize, Serialize};

use crate::prometheus::Failure;

const ANSWER_LIMIT: usize = 8 * 1024 * 1024;
const USER_AGENT: &str = concat!("hotfix-metrics/", env!("CARGO_PKG_VERSION"));

/// How to reach Alertmanager.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertmanagerConfig {
    /// What stands before `/api/v2`. Plain HTTP to another host only without secrets.
    pub url: String,
    /// How it knows who is asking.
    pub auth: Auth,
    /// Headers of your own, such as `X-Scope-OrgID` for the tenant. Secrets.
    pub headers: BTreeMap<String, SecretSource>,
    /// How to reach it.
    pub http: HttpConfig,
}

impl Default for AlertmanagerConfig {
    /// One on this host.
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:9093".to_owned(),
            auth: Auth::None,
            headers: BTreeMap::new(),
            http: HttpConfig::default(),
        }
    }
}

/// Makes and lifts silences.
#[derive(Debug)]
pub struct Alertmanager {
    http: Http,
    base: Url,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
}

/// A silence to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The run that plans what would alert. One silence a run: asking again changes nothing.
    pub run: RunId,
    /// Which alerts: those that match all of these.
    pub matchers: Vec<Matcher>,
    /// When it ends at the latest, should nobody lift it.
    pub until: Timestamp,
    /// Who makes it.
    pub author: String,
    /// Why.
    pub comment: String,
}

/// Alerts whose label has the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// The value, which is taken literally.
    pub value: String,
    #[serde(rename = "isRegex")]
    is_regex: bool,
    #[serde(rename = "isEqual", default = "yes")]
    is_equal: bool,
}

const fn yes() -> bool {
    true
}

impl Matcher {
    /// Matches a label.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), is_regex: false, is_equal: true }
    }
}

/// The id that Alertmanager gave to a silence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SilenceId(String);

impl fmt::Display for SilenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Alertmanager {
    /// Builds the client. Nothing is sent yet, and secrets are read when they are.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that cannot work.
    pub fn new(config: &AlertmanagerConfig, clock: Arc<dyn Clock>) -> std::result::Result<Self, ConfigError> {
        let AlertmanagerConfig { url, auth, headers, http } = config;
        let credentials = Credentials::new("alertmanager.auth", auth.clone(), headers.clone())?;
        let endpoint = if credentials.is_empty() { public_endpoint } else { private_endpoint };
        let base = endpoint("alertmanager.url", &format!("{}/", url.trim_end_matches('/')))?;
        Ok(Self { http: Http::new(http, USER_AGENT)?, base, credentials, clock })
    }

    /// Makes the silence of a run, which begins now.
    ///
    /// *Errors*: [`ErrorKind::Invalid`] for a silence without matchers or that ends before it begins: it would silence
    /// everything or nothing.
    /// *Idempotency*: a run that has an active silence gets its id, and nothing is changed.
    /// *Cancellation*: it may have been made; ask again or [`lift_all`](Self::lift_all).
    ///
    /// # Errors
    /// See above, and any failure to reach Alertmanager.
    pub async fn silence(&self, silence: &Silence) -> Result<SilenceId> {
        const OPERATION: &str = "alertmanager.silence";
        let now = self.clock.now();
        let invalid =
            |message: &str| Error::new(ErrorKind::Invalid, OPERATION, message).with("run", &silence.run);
        if silence.matchers.iter().all(|matcher| matcher.value.is_empty()) {
            return Err(invalid("a silence needs a matcher with a value, or it silences everything"));
        }
        if silence.until <= now {
            return Err(invalid("a silence must end in the future").with("until", silence.until));
        }
        if let Some(active) = self.active(OPERATION, &silence.run).await?.into_iter().next() {
            return Ok(active.id);
        }
        let body = serde_json::json!({
            "matchers": silence.matchers,
            "startsAt": now.to_rfc3339(),
            "endsAt": silence.until.to_rfc3339(),
            "createdBy": silence.author,
            "comment": format!("{} {}", silence.comment, mark(&silence.run)),
        });
        let request = self.http.post_json(self.url("api/v2/silences"), body.to_string().into_bytes());
        let made: Made = parse(OPERATION, &self.send(OPERATION, request).await?)?;
        Ok(made.id)
    }

    /// Lifts a silence. One that has ended or was never there is lifted.
    ///
    /// # Errors
    /// Any failure to reach Alertmanager.
    pub async fn lift(&self, silence: &SilenceId) -> Result<()> {
        const OPERATION: &str = "alertmanager.lift";
        let mut url = self.url("api/v2/silence");
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&silence.0);
        }
        let answer = self.exchange(OPERATION, self.http.request(Method::DELETE, url)).await?;
        match answer.status {
            200 | 404 => Ok(()),
            // It answers 500 for what has expired already.
            500 if answer
                .body
                .as_ref()
                .is_ok_and(|body| String::from_utf8_lossy(body).contains("already expired")) =>
            {
                Ok(())
            }
            _ => Err(Failure::of_status(&answer).into_error(OPERATION).with("silence", silence)),
        }
    }

    /// Lifts every silence of a run, also one whose id was lost in a crash, and returns how many there were.
    ///
    /// # Errors
    /// Any failure to reach Alertmanager; those that were found before are lifted.
    pub async fn lift_all(&self, run: &RunId) -> Result<usize> {
        let active = self.active("alertmanager.lift", run).await?;
        for silence in &active {
            self.lift(&silence.id).await?;
        }
        Ok(active.len())
    }

    async fn active(&self, operation: &'static str, run: &RunId) -> Result<Vec<Found>> {
        let answer = self.send(operation, self.http.get(self.url("api/v2/silences"))).await?;
        let found: Vec<Found> = parse(operation, &answer)?;
        let mark = mark(run);
        let own = |silence: &Found| silence.comment.ends_with(&mark) && silence.status.state != "expired";
        Ok(found.into_iter().filter(own).collect())
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", url.path()));
        url
    }

    async fn send(&self, operation: &'static str, request: RequestBuilder) -> Result<Vec<u8>> {
        let answer = self.exchange(operation, request).await?;
        if answer.status != 200 {
            return Err(Failure::of_status(&answer).into_error(operation));
        }
        answer.body.map_err(|cause| Failure::from(cause).into_error(operation))
    }

    async fn exchange(&self, operation: &'static str, request: RequestBuilder) -> Result<Answer> {
        let sent = async {
            let request = self.credentials.apply(request, self.http.deadline()).await?;
            Ok::<_, Failure>(self.http.send(request, ANSWER_LIMIT).await?)
        };
        sent.await.map_err(|failure| failure.into_error(operation))
    }
}

/// What a silence of the run is found by: Alertmanager keeps nothing but a comment.
fn mark(run: &RunId) -> String {
    format!("[hotfix run {run}]")
}

fn parse<T: for<'de> Deserialize<'de>>(operation: &'static str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        let message = "not an answer of Alertmanager; check that `url` ends before /api/v2";
        Error::new(ErrorKind::Unexpected, operation, message).with_source(error)
    })
}

#[derive(Deserialize)]
struct Made {
    #[serde(rename = "silenceID")]
    id: SilenceId,
}

#[derive(Deserialize)]
struct Found {
    id: SilenceId,
    #[serde(default)]
    comment: String,
    status: State,
}

#[derive(Deserialize)]
struct State {
    state: String,
}
