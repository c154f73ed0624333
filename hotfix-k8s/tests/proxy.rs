//! Stands between a deployer and the API server, and holds requests back until a test lets them go.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Forwards plain HTTP to a cluster. Ends with the test.
pub(crate) struct Proxy {
    address: std::net::SocketAddr,
    gate: Arc<Gate>,
    task: JoinHandle<()>,
}

/// What passes, and what waits.
struct Gate {
    client: Client,
    /// The PATCH requests whose path ends so are held.
    held: watch::Sender<Option<&'static str>>,
    /// Tells that a request is waiting.
    arrived: Notify,
    /// The status of a request that was let go.
    answered: watch::Sender<Option<u16>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(client: Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (held, answered) = (watch::Sender::default(), watch::Sender::default());
        let gate = Arc::new(Gate { client, held, arrived: Notify::new(), answered });
        let task = tokio::spawn(serve(listener, Arc::clone(&gate)));
        Self { address, gate, task }
    }

    /// What leads a client through the proxy.
    pub(crate) fn config(&self) -> kube::Config {
        kube::Config::new(format!("http://{}", self.address).parse().expect("a URL"))
    }

    /// Holds every PATCH whose path ends so.
    pub(crate) fn hold(&self, path: &'static str) {
        self.gate.held.send_replace(Some(path));
    }

    /// Waits until a request is held.
    pub(crate) async fn arrived(&self) {
        self.gate.arrived.notified().await;
    }

    /// Lets the held request go and returns what the server said to it.
    pub(crate) async fn release(&self) -> u16 {
        self.gate.held.send_replace(None);
        let mut answered = self.gate.answered.subscribe();
        let status = answered.wait_for(Option::is_some).await.expect("the gate lives");
        status.expect("it is some")
    }
}

async fn serve(listener: TcpListener, gate: Arc<Gate>) {
    while let Ok((stream, _)) = listener.accept().await {
        let gate = Arc::clone(&gate);
        let service = service_fn(move |request| forward(Arc::clone(&gate), request));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

/// A request that was taken is brought to its end even if the one who sent it has gone.
async fn forward(gate: Arc<Gate>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let answer = tokio::spawn(async move {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        parts.uri = parts.uri.path_and_query().expect("a path").as_str().parse().expect("a path");
        parts.headers.remove(http::header::HOST);
        let path = parts.uri.path().to_owned();
        let is_held = |held: &Option<&str>| held.is_some_and(|held| path.ends_with(held));
        let waits = parts.method == http::Method::PATCH && is_held(&gate.held.borrow());
        if waits {
            gate.arrived.notify_one();
            let mut held = gate.held.subscribe();
            held.wait_for(|held| !is_held(held)).await.expect("the gate lives");
        }
        let answer =
            gate.client.send(Request::from_parts(parts, Body::from(body.to_vec()))).await.expect("an answer");
        if waits {
            gate.answered.send_replace(Some(answer.status().as_u16()));
        }
        answer
    });
    Ok(answer.await.expect("forwarded"))
}
