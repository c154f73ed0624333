//! Connections to pods, kept open between requests.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a pod may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(1);

/// How long a pod may take to answer.
const ANSWER: Duration = Duration::from_secs(15);

pub(in crate::cluster) type Connection = SendRequest<Full<Bytes>>;

/// The idle connections by address.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<BTreeMap<SocketAddr, Vec<Connection>>>,
}

/// What came of asking one pod.
#[derive(Debug)]
pub(super) enum Asked {
    Answered(Response<Full<Bytes>>),
    /// Nothing of the request reached the pod, so another one can be asked.
    NotSent(Request<Full<Bytes>>),
    /// It may have been worked on.
    Lost(&'static str),
}

impl Pool {
    /// Asks the pod, on an idle connection if there is one.
    pub(super) async fn ask(&self, address: SocketAddr, request: Request<Full<Bytes>>) -> Asked {
        let mut request = request;
        while let Some(mut connection) = self.take(address) {
            if connection.ready().await.is_err() {
                continue;
            }
            match self.send(address, connection, request).await {
                Asked::NotSent(unsent) => request = unsent,
                asked => return asked,
            }
        }
        match connect(address).await {
            Ok(connection) => self.send(address, connection, request).await,
            Err(_) => Asked::NotSent(request),
        }
    }

    async fn send(
        &self,
        address: SocketAddr,
        mut connection: Connection,
        request: Request<Full<Bytes>>,
    ) -> Asked {
        let answered = async {
            let answer = connection.try_send_request(request).await;
            let (head, body) = match answer {
                Ok(answer) => answer.into_parts(),
                Err(mut error) => {
                    let unsent = error.take_message();
                    return unsent.map_or(Asked::Lost("the pod gave no answer\n"), Asked::NotSent);
                }
            };
            match body.collect().await {
                Ok(body) => Asked::Answered(Response::from_parts(head, Full::new(body.to_bytes()))),
                Err(_) => Asked::Lost("the pod broke off its answer\n"),
            }
        };
        let asked =
            timeout(ANSWER, answered).await.unwrap_or(Asked::Lost("the pod did not answer in time\n"));
        if matches!(asked, Asked::Answered(_)) && !connection.is_closed() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.entry(address).or_default().push(connection);
        }
        asked
    }

    fn take(&self, address: SocketAddr) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = idle.get_mut(&address)?;
        connections.retain(|connection| !connection.is_closed());
        connections.pop()
    }
}

/// Opens a connection for requests.
pub(in crate::cluster) async fn connect(address: SocketAddr) -> io::Result<Connection> {
    let connecting = timeout(CONNECT, TcpStream::connect(address));
    let stream = connecting.await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    let (connection, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // What goes wrong on the connection is told to whoever waits for an answer on it.
        let _ended = driver.await;
    });
    Ok(connection)
}
