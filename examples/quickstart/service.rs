//! The shop: a small HTTP service whose behaviour comes from the files it was deployed with.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;

/// The file that says how this version of the shop behaves.
pub(crate) const BEHAVIOUR: &str = "shop.json";

/// The answer says by this header which version gave it.
pub(crate) const VERSION_HEADER: &str = "x-shop-version";

/// How a version of the shop behaves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Behaviour {
    /// The version, as its answers say it.
    pub(crate) version: String,
    /// Every n-th checkout fails; 0: none does. Health checks never do: the mistake only shows under real traffic.
    pub(crate) fails_every: u64,
}

struct Shop {
    behaviour: Behaviour,
    checkouts: AtomicU64,
}

/// Serves until it is told to stop.
pub(crate) async fn serve() -> Result<(), Failure> {
    let behaviour = serde_json::from_slice(&std::fs::read(BEHAVIOUR)?)?;
    let shop = Arc::new(Shop { behaviour, checkouts: AtomicU64::new(0) });
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port()?))).await?;
    let mut stop = signal(SignalKind::terminate())?;
    loop {
        let connection = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            _ = stop.recv() => return Ok(()),
        };
        let shop = Arc::clone(&shop);
        tokio::spawn(async move {
            let answer = service_fn(|request| std::future::ready(Ok::<_, Infallible>(shop.answer(&request))));
            // A client that hangs up in the middle is its own affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), answer).await;
        });
    }
}

impl Shop {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let fails = request.uri().path() == "/checkout" && self.behaviour.fails_every > 0 && {
            let number = self.checkouts.fetch_add(1, Ordering::Relaxed);
            number.is_multiple_of(self.behaviour.fails_every)
        };
        let (status, text) = if fails {
            (StatusCode::INTERNAL_SERVER_ERROR, "payment failed\n")
        } else {
            (StatusCode::OK, "ok\n")
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        if let Ok(version) = self.behaviour.version.parse() {
            response.headers_mut().insert(VERSION_HEADER, version);
        }
        response
    }
}

fn port() -> Result<u16, Failure> {
    #[expect(clippy::disallowed_methods, reason = "the deployer tells the port by the environment")]
    let port = std::env::var("PORT")?;
    Ok(port.parse()?)
}
