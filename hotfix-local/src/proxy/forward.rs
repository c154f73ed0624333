//! One request on its way: which instance answers it, what is tried again, and what the client gets otherwise.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response, StatusCode, Version};
use tokio::time::{Instant, timeout};

use super::Limits;
use super::body::{AnswerBody, RequestBody, Ticket};
use super::counters::Ending;
use super::headers;
use super::table::{Route, Table};
use super::upstream::{Connection, Lease, Upstream};

/// The proxy of one target.
#[derive(Debug)]
pub(crate) struct Proxy {
    table: RwLock<Arc<Table>>,
    /// Numbers the requests, so that consecutive ones follow the schedule.
    requests: AtomicU64,
    limits: Arc<Limits>,
}

/// What came of asking one instance.
enum Asked {
    Answered(Response<Incoming>, Connection),
    /// Nothing of the request reached the instance, so another one can be asked.
    NotSent(Request<RequestBody>),
    /// It may have been worked on; asking again could do it twice.
    Lost(StatusCode, &'static str),
}

/// What came of asking the instances of one table.
enum Outcome {
    Answer(Response<AnswerBody>),
    /// The table was replaced meanwhile, and an instance of it is being drained.
    Outdated(Request<RequestBody>),
}

impl Proxy {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            table: RwLock::new(Arc::new(Table::empty())),
            requests: AtomicU64::new(0),
            limits: Arc::new(limits),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Replaces the table: requests that begin after this call follow the new one.
    pub(crate) fn replace_table(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Incoming>, client: IpAddr) -> Response<AnswerBody> {
        if let Some((status, text)) = headers::refusal(&request) {
            return own_answer(status, text);
        }
        let began = Instant::now();
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut request = request.map(RequestBody::of);
        headers::towards_instance(&mut request, client);
        loop {
            let table = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
            let Some(route) = table.route(number) else {
                return own_answer(StatusCode::SERVICE_UNAVAILABLE, "nothing is deployed here yet\n");
            };
            match self.answer_by(&table, route, request, began).await {
                Outcome::Answer(answer) => return answer,
                Outcome::Outdated(unsent) => {
                    request = unsent;
                    // Whoever replaces the table may need this thread for it.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn answer_by(
        &self,
        table: &Table,
        route: &Route,
        mut request: Request<RequestBody>,
        began: Instant,
    ) -> Outcome {
        for (position, upstream) in table.candidates(route).enumerate() {
            // An instance is drained only after it left the table, so this table is no longer the newest.
            let Some(lease) = upstream.lease() else {
                return Outcome::Outdated(request);
            };
            let asked = self.ask(upstream, request).await;
            let foreign = position >= route.instances.len();
            if foreign && !matches!(asked, Asked::NotSent(_)) {
                // The other side answers, but that this one could not is what its own count must show.
                route.unserved.count(Ending::Failed, began.elapsed());
            }
            match asked {
                Asked::Answered(answer, connection) => {
                    return Outcome::Answer(self.pass_on(answer, connection, lease, began));
                }
                Asked::Lost(status, text) => {
                    upstream.counters.count(Ending::Failed, began.elapsed());
                    return Outcome::Answer(own_answer(status, text));
                }
                Asked::NotSent(unsent) => request = unsent,
            }
        }
        route.unserved.count(Ending::Failed, began.elapsed());
        let (status, text) = if route.instances.is_empty() {
            (StatusCode::SERVICE_UNAVAILABLE, "no instance is ready\n")
        } else {
            (StatusCode::BAD_GATEWAY, "no instance can be reached\n")
        };
        Outcome::Answer(own_answer(status, text))
    }

    /// Asks one instance, on an idle connection first. That one may have been closed by the instance just now, so a
    /// request that is safe to repeat, or was not sent, is sent once more on a new connection.
    async fn ask(&self, upstream: &Upstream, request: Request<RequestBody>) -> Asked {
        let request = match self.ask_on_idle(upstream, request).await {
            Asked::NotSent(request) => request,
            answered_or_lost => return answered_or_lost,
        };
        match upstream.connect(&self.limits).await {
            Ok(connection) => self.send(connection, request).await,
            Err(_) => Asked::NotSent(request),
        }
    }

    async fn ask_on_idle(&self, upstream: &Upstream, request: Request<RequestBody>) -> Asked {
        let Some(mut connection) = upstream.idle_connection(&self.limits) else {
            return Asked::NotSent(request);
        };
        if connection.ready().await.is_err() {
            return Asked::NotSent(request);
        }
        let copy = copy_of(&request);
        match (self.send(connection, request).await, copy) {
            (Asked::Lost(StatusCode::BAD_GATEWAY, _), Some(copy)) => Asked::NotSent(copy),
            (asked, _) => asked,
        }
    }

    async fn send(&self, mut connection: Connection, request: Request<RequestBody>) -> Asked {
        match timeout(self.limits.answer_timeout, connection.try_send_request(request)).await {
            Ok(Ok(answer)) => Asked::Answered(answer, connection),
            Ok(Err(mut error)) => match error.take_message() {
                Some(request) => Asked::NotSent(request),
                None => Asked::Lost(StatusCode::BAD_GATEWAY, "the instance gave no answer\n"),
            },
            Err(_) => Asked::Lost(StatusCode::GATEWAY_TIMEOUT, "the instance did not answer in time\n"),
        }
    }

    fn pass_on(
        &self,
        answer: Response<Incoming>,
        connection: Connection,
        lease: Lease,
        began: Instant,
    ) -> Response<AnswerBody> {
        let ending = if answer.status().is_server_error() { Ending::Failed } else { Ending::Answered };
        let limits = Arc::clone(&self.limits);
        let ticket = Ticket { lease, connection: Some(connection), limits, began, ending };
        let (mut head, body) = answer.into_parts();
        headers::towards_client(&mut head.headers);
        head.version = Version::HTTP_11;
        Response::from_parts(head, AnswerBody::streamed(body, ticket))
    }
}

impl RequestBody {
    fn of(body: Incoming) -> Self {
        if body.is_end_stream() { Self::Empty } else { Self::Streamed(body) }
    }
}

/// A second copy of a request that may be sent twice; nothing for any other.
fn copy_of(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !matches!(request.body(), RequestBody::Empty) || !request.method().is_idempotent() {
        return None;
    }
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn own_answer(status: StatusCode, text: &'static str) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::Own(Some(Bytes::from_static(text.as_bytes()))));
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
#[path = "forward_tests.rs"]
mod tests;
