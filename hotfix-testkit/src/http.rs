//! A scripted HTTP/1.1 server on loopback: it answers from a queue, records every request, and can hang or cut the
//! connection where a real service would.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

pub use answer::Answer;
pub(crate) use answer::Cut;
use answer::ScriptedBody;

mod answer;

/// A server that plays a service by a script.
///
/// Answers are taken first from the queue of the request's path, then from the common queue, then from
/// [`ScriptedServer::otherwise`]. A request for which nothing is scripted gets status 500 and counts as a defect in
/// [`ScriptedServer::verify`]. Dropping the server closes every connection.
///
/// Do not combine it with paused tokio time: time then jumps ahead while bytes are on their way.
#[derive(Debug)]
pub struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accept: AbortHandle,
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The method, such as `POST`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// What follows the `?`; empty when nothing does.
    pub query: String,
    /// The headers in the order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Recorded {
    pub(crate) fn of(request: &hyper::Request<Bytes>) -> Self {
        let headers = request.headers().iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        });
        Self {
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers: headers.collect(),
            body: request.body().clone(),
        }
    }

    /// Returns the first header of that name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        Some(value)
    }

    /// Returns the body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Parses the body as JSON.
    ///
    /// # Panics
    /// If it is not JSON; the message shows it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body is not JSON ({error}): {}", self.text()))
    }
}

impl ScriptedServer {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O, or when no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free loopback port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { address, shared, accept }
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a path, which starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Queues an answer for the next request that no answer of its path is queued for.
    pub fn respond(&self, answer: Answer) {
        self.shared.lock().queue.push_back(answer);
    }

    /// Queues an answer for the next request to the path.
    pub fn respond_on(&self, path: &str, answer: Answer) {
        let mut state = self.shared.lock();
        state.by_path.entry(path.to_owned()).or_default().push_back(answer);
    }

    /// Sets the answer to every request for which nothing is queued.
    pub fn otherwise(&self, answer: Answer) {
        self.shared.lock().otherwise = Some(answer);
    }

    /// Returns the requests so far, in the order in which they were complete.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// Waits for the request with the number, counted from 0.
    pub async fn request(&self, number: usize) -> Recorded {
        loop {
            let arrival = self.shared.arrived.notified();
            if let Some(request) = self.shared.lock().requests.get(number) {
                return request.clone();
            }
            arrival.await;
        }
    }

    /// Checks that every queued answer was given and every request was expected.
    ///
    /// # Panics
    /// Otherwise; the message lists what is wrong.
    pub fn verify(&self) {
        let state = self.shared.lock();
        let left = state.queue.len() + state.by_path.values().map(VecDeque::len).sum::<usize>();
        assert!(
            left == 0 && state.unexpected.is_empty(),
            "{left} scripted answer(s) were not asked for; requests without a scripted answer: {:?}",
            state.unexpected
        );
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Answer>,
    by_path: BTreeMap<String, VecDeque<Answer>>,
    otherwise: Option<Answer>,
    requests: Vec<Recorded>,
    unexpected: Vec<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, request: Recorded) -> Answer {
        let mut state = self.lock();
        let answer = state.answer(&request);
        state.requests.push(request);
        drop(state);
        self.arrived.notify_waiters();
        answer
    }
}

impl State {
    fn answer(&mut self, request: &Recorded) -> Answer {
        let own = self.by_path.get_mut(&request.path).and_then(VecDeque::pop_front);
        let scripted = own.or_else(|| self.queue.pop_front()).or_else(|| self.otherwise.clone());
        scripted.unwrap_or_else(|| {
            let line = format!("{} {}", request.method, request.path);
            let answer = Answer::status(500).text(format!("no answer is scripted for {line}"));
            self.unexpected.push(line);
            answer
        })
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| serve(request, &shared));
            // A connection that ends in an error ends as the script or the client wanted it.
            let _ended = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

async fn serve(
    request: hyper::Request<Incoming>,
    shared: &Shared,
) -> Result<hyper::Response<ScriptedBody>, Cut> {
    match receive(request).await {
        Some(request) => shared.record(request).play().await,
        None => Err(Cut),
    }
}

/// Reads a request to its end; `None` if the client went away before.
async fn receive(request: hyper::Request<Incoming>) -> Option<Recorded> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Recorded::of(&hyper::Request::from_parts(head, body)))
}
