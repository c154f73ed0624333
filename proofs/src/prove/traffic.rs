//! A user who never stops asking: one request after the other over one connection that is kept alive.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::service::RELEASE;

/// The pause between two requests.
const PAUSE: Duration = Duration::from_millis(4);

/// What a user saw, counted: the release that answered (empty: none) and the status or the failure.
pub(super) type Answers = BTreeMap<(String, String), u64>;

/// Requests that go on until this is dropped.
#[derive(Debug)]
pub(super) struct Traffic {
    answers: Arc<Mutex<Answers>>,
    task: JoinHandle<()>,
}

impl Traffic {
    pub(super) fn to(address: SocketAddr) -> Self {
        let answers = Arc::new(Mutex::new(Answers::new()));
        let task = tokio::spawn(ask(address, Arc::clone(&answers)));
        Self { answers, task }
    }

    pub(super) fn answers(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn ask(address: SocketAddr, answers: Arc<Mutex<Answers>>) {
    let mut open = None;
    loop {
        let answer = once(address, &mut open).await;
        *answers.lock().unwrap_or_else(PoisonError::into_inner).entry(answer).or_default() += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn once(address: SocketAddr, open: &mut Option<SendRequest<Empty<Bytes>>>) -> (String, String) {
    match request(address, open).await {
        Ok(answer) => answer,
        Err(error) => {
            *open = None;
            (String::new(), error)
        }
    }
}

async fn request(
    address: SocketAddr,
    open: &mut Option<SendRequest<Empty<Bytes>>>,
) -> Result<(String, String), String> {
    if open.as_ref().is_none_or(SendRequest::is_closed) {
        *open = Some(connect(address).await?);
    }
    let sender = open.as_mut().ok_or("no connection")?;
    sender.ready().await.map_err(|error| format!("connection: {error}"))?;
    let request =
        Request::get("/").header(HOST, "shop").body(Empty::new()).map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| format!("request: {error}"))?;
    let release =
        answer.headers().get(RELEASE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let status = answer.status().as_u16().to_string();
    answer.into_body().collect().await.map_err(|error| format!("body: {error}"))?;
    Ok((release, status))
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| format!("handshake: {error}"))?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Asks once, over a connection of its own, and returns the release that answered.
pub(super) async fn who_answers(address: SocketAddr) -> Result<String, String> {
    let (release, status) = request(address, &mut None).await?;
    if release.is_empty() { Err(format!("status {status} from no release")) } else { Ok(release) }
}
