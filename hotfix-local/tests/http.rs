//! A small HTTP client: one connection, kept alive, so that a test notices when it is closed.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One kept-alive connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(driver);
        Self { sender, address }
    }

    /// Sends a GET on this connection; an error when it was closed.
    pub(crate) async fn get(&mut self, path: &str) -> Result<(StatusCode, String), hyper::Error> {
        let request = Request::get(path).header(header::HOST, self.address.to_string());
        let request = request.body(Full::default()).expect("a request");
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// Sends one GET on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (StatusCode, String) {
    Connection::open(address).await.get(path).await.expect("an answer")
}
