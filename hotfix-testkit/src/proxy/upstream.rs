//! What stands behind a proxy.

use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::http::Cut;

/// An answer whose body can break off.
pub(crate) type Answered = Response<UnsyncBoxBody<Bytes, Cut>>;

/// The server that requests are for.
#[async_trait]
pub(crate) trait Upstream: Send + Sync {
    /// Sends a request and returns the beginning of its answer.
    async fn send(&self, request: Request<Bytes>) -> Result<Answered, Cut>;
}

/// A server on plain HTTP, asked on a connection of its own for each request.
pub(super) struct Plain(pub(super) SocketAddr);

#[async_trait]
impl Upstream for Plain {
    async fn send(&self, request: Request<Bytes>) -> Result<Answered, Cut> {
        let socket = TcpStream::connect(self.0).await.map_err(|_| Cut)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|_| Cut)?;
        // It ends with the body of the answer.
        tokio::spawn(connection);
        let response = sender.send_request(request.map(Full::new)).await.map_err(|_| Cut)?;
        Ok(response.map(|body| body.map_err(|_| Cut).boxed_unsync()))
    }
}
