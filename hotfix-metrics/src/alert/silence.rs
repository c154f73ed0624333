//! Silences in Alertmanager for what was planned: made once, found again after a crash, and lifted.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::{RunId, Target};
use hotfix_core::port::{Clock, Silence, Silencer};
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_http::{
    Answer, Auth, ConfigError, Credentials, Http, HttpConfig, SecretSource, private_endpoint, public_endpoint,
};
use reqwest::{Method, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::prometheus::Failure;
use crate::traffic::{Label, Slot};

const ANSWER_LIMIT: usize = 8 * 1024 * 1024;
const SILENCE: &str = "alertmanager.silence";
const LIFT: &str = "alertmanager.lift";
const USER_AGENT: &str = concat!("hotfix-metrics/", env!("CARGO_PKG_VERSION"));

/// How to reach Alertmanager, and what it silences.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertmanagerConfig {
    /// Its name in the outbox; one of its own for each Alertmanager.
    pub name: String,
    /// What stands before `/api/v2`. Plain HTTP to another host only without secrets.
    pub url: String,
    /// Which alerts are about a workload: the labels that they all have, with what these hold, taken literally. In a
    /// value the words `${environment}` and `${service}` stand for those of the workload.
    pub matchers: BTreeMap<String, String>,
    /// Who is said to have made the silences.
    pub author: String,
    /// How it knows who is asking.
    pub auth: Auth,
    /// Headers of your own, such as `X-Scope-OrgID` for the tenant. Secrets.
    pub headers: BTreeMap<String, SecretSource>,
    /// How to reach it.
    pub http: HttpConfig,
}

impl Default for AlertmanagerConfig {
    /// One on this host, with alerts that are labelled as those of [`Alerting`](super::Alerting) are.
    fn default() -> Self {
        let of_workload = |name: &str| (name.to_owned(), format!("${{{name}}}"));
        Self {
            name: "alertmanager".to_owned(),
            url: "http://127.0.0.1:9093".to_owned(),
            matchers: ["environment", "service"].map(of_workload).into(),
            author: "hotfix".to_owned(),
            auth: Auth::None,
            headers: BTreeMap::new(),
            http: HttpConfig::default(),
        }
    }
}

/// Silences alerts about what a run changes as planned.
///
/// A silence is found by the run that its comment names, so that a process that knows nothing of the one before lifts
/// what that made. Two processes that silence for one run at the same moment make two; lifting ends both.
#[derive(Debug)]
pub struct Alertmanager {
    name: String,
    matchers: Vec<Label>,
    author: String,
    http: Http,
    base: Url,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
}

impl Alertmanager {
    /// Builds the client. Nothing is sent yet, and secrets are read when they are.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that cannot work.
    pub fn new(config: &AlertmanagerConfig, clock: Arc<dyn Clock>) -> std::result::Result<Self, ConfigError> {
        let AlertmanagerConfig { name, url, matchers, author, auth, headers, http } = config;
        let invalid = |field, allowed: &str| ConfigError::Invalid { field, allowed: allowed.to_owned() };
        if name.is_empty() || name.contains(char::is_control) {
            return Err(invalid("alertmanager.name", "must be one line and not empty"));
        }
        if !matchers.values().any(|value| value.contains("${service}")) {
            let allowed = "must name ${service}, or what others run is silenced too";
            return Err(invalid("alertmanager.matchers", allowed));
        }
        let label =
            |(name, value): (&String, &String)| Label::new("alertmanager.matchers", name, value, Slot::All);
        let matchers = matchers.iter().map(label).collect::<std::result::Result<_, _>>()?;
        let credentials = Credentials::new("alertmanager.auth", auth.clone(), headers.clone())?;
        let endpoint = if credentials.is_empty() { public_endpoint } else { private_endpoint };
        let base = endpoint("alertmanager.url", &format!("{}/", url.trim_end_matches('/')))?;
        let (name, author, http) = (name.clone(), author.clone(), Http::new(http, USER_AGENT)?);
        Ok(Self { name, matchers, author, http, base, credentials, clock })
    }

    fn matchers(&self, target: &Target) -> Vec<Value> {
        let literally = |label: &Label| json!({ "name": label.name, "value": label.of(target, None), "isRegex": false, "isEqual": true });
        self.matchers.iter().map(literally).collect()
    }

    async fn end(&self, id: &str) -> Result<()> {
        let mut url = self.url("api/v2/silence");
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(id);
        }
        let answer = self.exchange(LIFT, self.http.request(Method::DELETE, url)).await?;
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
            _ => Err(Failure::of_status(&answer).into_error(LIFT).with("silence", id)),
        }
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

#[async_trait]
impl Silencer for Alertmanager {
    fn destination(&self) -> &str {
        &self.name
    }

    async fn silence(&self, silence: &Silence) -> Result<()> {
        let Silence { run, target, until } = silence;
        let now = self.clock.now();
        if *until <= now {
            let error = Error::new(ErrorKind::Invalid, SILENCE, "a silence must end in the future");
            return Err(error.with("run", run).with("until", until));
        }
        if !self.active(SILENCE, run).await?.is_empty() {
            return Ok(());
        }
        let body = json!({
            "matchers": self.matchers(target),
            "startsAt": now.to_rfc3339(),
            "endsAt": until.to_rfc3339(),
            "createdBy": self.author,
            "comment": format!("{target} is changed as planned {}", mark(run)),
        });
        let request = self.http.post_json(self.url("api/v2/silences"), body.to_string().into_bytes());
        parse::<Made>(SILENCE, &self.send(SILENCE, request).await?).map(drop)
    }

    async fn lift(&self, silence: &Silence) -> Result<()> {
        for active in self.active(LIFT, &silence.run).await? {
            self.end(&active.id).await?;
        }
        Ok(())
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

/// The answer to a silence that was made. Its id is not kept: the comment names the run.
#[derive(Deserialize)]
struct Made {
    #[serde(rename = "silenceID")]
    _id: String,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    #[serde(default)]
    comment: String,
    status: State,
}

#[derive(Deserialize)]
struct State {
    state: String,
}
