//! Accepting connections on a port, each served on its own task until it ends or the server stops.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Limits;
use super::forward::Proxy;

/// A listening port and the connections that came in by it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    /// Serves the proxy on a port that is already listening.
    pub(crate) fn of_proxy(listener: TcpListener, proxy: Arc<Proxy>) -> io::Result<Self> {
        let limits = proxy.limits().clone();
        Self::start(listener, limits, move |request, client| {
            let proxy = Arc::clone(&proxy);
            async move { proxy.answer(request, client.ip()).await }
        })
    }

    /// Serves anything else on a port that is already listening.
    pub(crate) fn start<S, F, B>(listener: TcpListener, limits: Limits, answer: S) -> io::Result<Self>
    where
        S: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let address = listener.local_addr()?;
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        connections.spawn(accept(listener, limits, answer, stop.clone(), connections.clone()));
        Ok(Self { address, stop, connections })
    }

    /// Accepts nothing more, lets requests in flight end, and waits for that at most `grace`.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.stop.cancel();
        self.connections.close();
        // What is not done by then is cut off with the runtime or by the client.
        let _ = tokio::time::timeout(grace, self.connections.wait()).await;
    }
}

/// Dropping it unasked still ends the accepting task.
impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Pause after a failed accept: the usual cause, too many open files, does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

async fn accept<S, F, B>(
    listener: TcpListener,
    limits: Limits,
    answer: S,
    stop: CancellationToken,
    connections: TaskTracker,
) where
    S: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(limits.head_bytes);
    while let Some(Ok(place)) = stop.run_until_cancelled(Arc::clone(&places).acquire_owned()).await {
        let (stream, client) = match stop.run_until_cancelled(listener.accept()).await {
            None => return,
            Some(Ok(accepted)) => accepted,
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let serving = serve(builder.clone(), stream, client, answer.clone(), stop.clone());
        connections.spawn(async move {
            serving.await;
            drop(place);
        });
    }
}

async fn serve<S, F, B>(
    builder: http1::Builder,
    stream: TcpStream,
    client: SocketAddr,
    answer: S,
    stop: CancellationToken,
) where
    S: Fn(Request<Incoming>, SocketAddr) -> F + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    // Without it small answers wait for the client's acknowledgement; failing to set it only costs time.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let answer = answer(request, client);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    // An error is the client's doing (it went away or spoke no HTTP) and was answered as far as that is possible.
    if stop.run_until_cancelled(connection.as_mut()).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}
