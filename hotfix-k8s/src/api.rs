//! Requests to the API server: each sent once, with a deadline, and each failure kept as it was seen.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::Period;
use json_patch::PatchOperation;
use kube::Client;
use kube::api::{
    DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions, VersionMatch,
};
use kube::client::Body;
use kube::core::Request;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::config::RequestLimits;
use crate::credentials;
use crate::lanes::{Lane, Lanes};
use crate::names::MANAGER;
use crate::object::ObjectRef;
use crate::turns::in_turn;

/// How long a read may take when nobody said.
pub(crate) const READ_LIMIT: Duration = Duration::from_secs(10);

/// How often a read is sent whose connection is closed before the answer.
const READS: usize = 3;

/// How long a server that is too busy is left alone when it does not say.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// A connection to one cluster whose requests are never repeated behind our back.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    /// All requests by this connection, whatever they are for, take their turn here, and so do those of the hub.
    lanes: Arc<Lanes>,
    lane: Lane,
}

/// Why a request brought no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It surely did not reach the server.
    NotSent { cause: String },
    /// There was no answer in time.
    Timeout,
    /// The connection ended before the answer.
    Interrupted { cause: String },
    /// There was an answer that is not understood.
    Unclear { answer: String },
    /// The server says why not.
    Status(Refusal),
}

/// A `Status` of the API server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    /// One word, such as `Conflict`.
    pub(crate) reason: String,
    pub(crate) message: String,
    /// How long it asks to wait.
    pub(crate) retry_after: Option<Period>,
}

impl Refusal {
    /// Whether the server says that there is no such object. A bare 404 may be the word of a balancer in between, or of a
    /// server that does not know the kind.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code == 404 && self.reason == "NotFound"
    }

    /// Whether nothing speaks against the same request a little later.
    pub(crate) fn is_passing(&self) -> bool {
        // 408: the request was not read in time. 410: the server no longer has what a read asked to be told of.
        matches!(self.code, 408 | 410 | 429 | 500..) || self.code == 404 && !self.is_not_found()
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// Connects. The client's own retries are switched off: a mutation is repeated by who knows what it means. What a 401
    /// refused was not begun, so that is tried once more, with credentials that were read anew.
    pub(crate) fn connect(mut config: kube::Config, limits: RequestLimits) -> Result<Self, kube::Error> {
        config.default_retry = false;
        let lanes = Arc::new(Lanes::new(limits));
        Ok(Self { client: credentials::connect(config)?, lanes, lane: Lane::Observe })
    }

    /// The same by a connection that is there.
    #[cfg(test)]
    pub(crate) fn by(client: Client) -> Self {
        let lanes = Arc::new(Lanes::new(RequestLimits::default()));
        Self { client, lanes, lane: Lane::Observe }
    }

    /// Returns the same connection for requests that are for something else.
    pub(crate) fn in_lane(&self, lane: Lane) -> Self {
        Self { lane, ..self.clone() }
    }

    /// Returns the same connection for looking whether what is waited for has come.
    pub(crate) fn waiting(&self) -> Self {
        self.in_lane(self.lane.waiting())
    }

    /// Returns the namespace of the configuration of the cluster.
    pub(crate) fn namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// Returns a client for what kube asks by itself, each request in the lane of this.
    pub(crate) fn client(&self) -> Client {
        in_turn(self.client.clone(), Arc::clone(&self.lanes), self.lane)
    }

    /// Reads an object from the store behind the server, never from its cache; `None` when there is none.
    pub(crate) async fn get(&self, object: &ObjectRef, deadline: Instant) -> Result<Option<Value>, Failure> {
        let request = || Request::new(object.collection()).get(&object.name, &GetParams::default());
        match self.read(request, deadline).await {
            Err(Failure::Status(refusal)) if refusal.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Reads all objects of a collection that have the labels, from the store behind the server.
    pub(crate) async fn list(
        &self,
        collection: &str,
        labels: &str,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        self.list_with(collection, &ListParams::default().labels(labels), deadline).await
    }

    /// Reads all objects of a collection that have the labels as the server's cache holds them, which is at least as
    /// new as `version` is.
    pub(crate) async fn list_since(
        &self,
        collection: &str,
        labels: &str,
        version: &str,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let params = ListParams::default().labels(labels).at(version).matching(VersionMatch::NotOlderThan);
        self.list_with(collection, &params, deadline).await
    }

    async fn list_with(
        &self,
        collection: &str,
        params: &ListParams,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let list = self.read(|| Request::new(collection).list(params), deadline).await?;
        match list {
            Value::Object(mut list) => match list.remove("items") {
                Some(Value::Array(items)) => Ok(items),
                _ => Err(Failure::Unclear { answer: "a list without items".to_owned() }),
            },
            _ => Err(Failure::Unclear { answer: "no object".to_owned() }),
        }
    }

    /// Applies a JSON Patch as one step.
    pub(crate) async fn patch(
        &self,
        object: &ObjectRef,
        patch: &[PatchOperation],
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patch: Patch<()> = Patch::Json(json_patch::Patch(patch.to_vec()));
        self.send(Request::new(object.collection()).patch(&object.name, &params, &patch), deadline).await
    }

    /// Creates an object.
    pub(crate) async fn create(
        &self,
        object: &ObjectRef,
        value: &Value,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let body = value.to_string().into_bytes();
        self.send(Request::new(object.collection()).create(&params, body), deadline).await
    }

    /// Deletes an object, if it is the one with this uid.
    pub(crate) async fn delete(
        &self,
        object: &ObjectRef,
        uid: &str,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let preconditions = Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() };
        self.delete_if(object, preconditions, deadline).await
    }

    /// Deletes an object if it still is the one that was read, in the version that was read.
    pub(crate) async fn delete_version(
        &self,
        object: &ObjectRef,
        uid: &str,
        version: u64,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let preconditions =
            Preconditions { uid: Some(uid.to_owned()), resource_version: Some(version.to_string()) };
        self.delete_if(object, preconditions, deadline).await
    }

    async fn delete_if(
        &self,
        object: &ObjectRef,
        preconditions: Preconditions,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let request = Request::new(object.collection()).delete(&object.name, &params);
        self.send(request, deadline).await.map(|_| ())
    }

    /// Sends a request that changes nothing, again when its connection was closed.
    async fn read<R, E>(&self, request: R, deadline: Instant) -> Result<Value, Failure>
    where
        R: Fn() -> Result<http::Request<Vec<u8>>, E>,
        E: StdError,
    {
        for _ in 1..READS {
            match self.send(request(), deadline).await {
                Err(Failure::Interrupted { cause }) => tracing::debug!(cause, "a read is tried again"),
                answer => return answer,
            }
        }
        self.send(request(), deadline).await
    }

    /// Sends a request that could be built.
    async fn send<E: StdError>(
        &self,
        request: Result<http::Request<Vec<u8>>, E>,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let request = request.map_err(|error| Failure::NotSent { cause: with_causes(&error) })?;
        if Instant::now() >= deadline {
            return Err(Failure::NotSent { cause: "the deadline had passed before it was sent".to_owned() });
        }
        if timeout_at(deadline, self.lanes.pass(self.lane)).await.is_err() {
            let cause = "the requests before it left no room until the deadline".to_owned();
            return Err(Failure::NotSent { cause });
        }
        let is_read = request.method() == http::Method::GET;
        let exchange = timeout_at(deadline, exchange(self.client.clone(), request));
        let answer = if is_read {
            // To drop an answer on its way costs the connection. Whoever gives up a read does so mostly because something
            // is to be undone, which needs that connection at once.
            let read = tokio::spawn(exchange).await;
            read.unwrap_or_else(|gone| Ok(Err(Failure::Interrupted { cause: gone.to_string() })))
        } else {
            exchange.await
        };
        let answer = answer.unwrap_or(Err(Failure::Timeout));
        if let Err(Failure::Status(Refusal { code: 429, retry_after, .. })) = &answer {
            self.lanes.busy(self.lane, retry_after.map_or(REST, Period::to_duration));
        }
        answer
    }
}

async fn exchange(client: Client, request: http::Request<Vec<u8>>) -> Result<Value, Failure> {
    let response = client.send(request.map(Body::from)).await.map_err(|error| unsent(&error))?;
    let (code, wait) = (response.status().as_u16(), retry_after(response.headers()));
    let body = response.into_body().collect_bytes().await;
    let body = body.map_err(|error| Failure::Interrupted { cause: with_causes(&error) })?;
    answer(code, wait, &body)
}

pub(crate) fn retry_after(headers: &http::HeaderMap) -> Option<Period> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Period::from_secs(seconds))
}

/// Reads an answer: the status code before the body.
fn answer(code: u16, wait: Option<Period>, body: &[u8]) -> Result<Value, Failure> {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    match (code, value) {
        (200..=299, Some(value)) => Ok(value),
        (200..=299, None) => Err(Failure::Unclear { answer: format!("{code} without JSON") }),
        (_, value) => {
            let value = value.unwrap_or_default();
            let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
            let asked = value.pointer("/details/retryAfterSeconds").and_then(Value::as_u64);
            Err(Failure::Status(Refusal {
                code,
                reason: text("reason"),
                message: text("message"),
                retry_after: wait.or(asked.map(Period::from_secs)),
            }))
        }
    }
}

/// Tells whether the request left: a refused connection and missing credentials come before it.
fn unsent(error: &kube::Error) -> Failure {
    let cause = credentials::cause(error);
    match error {
        kube::Error::Auth(_) => Failure::NotSent { cause },
        _ if was_refused(error) => Failure::NotSent { cause },
        _ => Failure::Interrupted { cause },
    }
}

fn was_refused(error: &(dyn StdError + 'static)) -> bool {
    let refused = error.downcast_ref::<io::Error>();
    refused.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        || error.source().is_some_and(was_refused)
}

/// An error with its causes, on one line, each said once.
pub(crate) fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
