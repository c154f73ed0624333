//! One request on its way: which backend answers it, which pod of that is asked, and what the client gets otherwise.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::follow::Known;
use super::pool::{Asked, Pool};
use super::routes::{self, Ask};
use super::turns::{Counts, Turns};
use super::world::Backend;
use crate::cluster::network::reach;

/// What a connection says and nobody passes on.
const OF_ONE_CONNECTION: [header::HeaderName; 4] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::TE];

/// Everything that a request needs.
#[derive(Debug)]
pub(super) struct Front {
    known: watch::Receiver<Known>,
    pool: Pool,
    turns: Mutex<Turns>,
}

/// Serves connections for ever.
pub(super) async fn accept(listener: TcpListener, front: Arc<Front>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        // Without it small answers wait for the client's acknowledgement; failing to set it only costs time.
        let _set = stream.set_nodelay(true);
        let front = Arc::clone(&front);
        connections.spawn(async move {
            let service = service_fn(|request| front.serve(request));
            // A connection that ends in an error ends as its client wanted it.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Front {
    pub(super) fn new(known: watch::Receiver<Known>) -> Self {
        Self { known, pool: Pool::default(), turns: Mutex::default() }
    }

    pub(super) fn counts(&self) -> BTreeMap<String, Counts> {
        self.turns().counts()
    }

    async fn serve(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (mut head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return Ok(own(StatusCode::BAD_REQUEST, "the request broke off\n"));
        };
        let (backend, addresses) = self.choose(&head.headers, head.method.as_str(), head.uri.path());
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse().unwrap_or(Uri::from_static("/"));
        without_connection(&mut head.headers);
        head.version = Version::HTTP_11;
        let answer = self.ask(&addresses, Request::from_parts(head, Full::new(body.to_bytes()))).await;
        if answer.status().is_server_error() {
            self.turns().failed(&backend);
        }
        Ok(answer)
    }

    /// Chooses the backend, and in which order its pods are asked.
    fn choose(&self, headers: &HeaderMap, method: &str, path: &str) -> (Backend, Vec<SocketAddr>) {
        let world = Arc::clone(&self.known.borrow().world);
        let headers: Vec<_> =
            headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let host = headers.iter().find(|(name, _)| *name == "host").map_or("", |(_, host)| *host);
        let mut backends = routes::backends(&world, &Ask { host, method, path, headers });
        if backends.is_empty() {
            backends.push(Backend::nowhere());
        }
        let mut turns = self.turns();
        let (chosen, before) =
            turns.choose(&backends).expect("there is a backend, and none has the weight 0");
        let mut addresses = world.endpoints(chosen);
        if let Some(first) = before.checked_rem(addresses.len() as u64) {
            addresses.rotate_left(first as usize);
        }
        let reached = addresses.iter().map(|pod| reach(pod.ip(), pod.port())).collect();
        (chosen.clone(), reached)
    }

    async fn ask(
        &self,
        addresses: &[SocketAddr],
        mut request: Request<Full<Bytes>>,
    ) -> Response<Full<Bytes>> {
        if addresses.is_empty() {
            return own(StatusCode::SERVICE_UNAVAILABLE, "no pod is ready\n");
        }
        for address in addresses {
            match self.pool.ask(*address, request).await {
                Asked::Answered(mut answer) => {
                    without_connection(answer.headers_mut());
                    return answer;
                }
                Asked::Lost(why) => return own(StatusCode::BAD_GATEWAY, why),
                Asked::NotSent(unsent) => request = unsent,
            }
        }
        own(StatusCode::BAD_GATEWAY, "no pod can be reached\n")
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn without_connection(headers: &mut HeaderMap) {
    for name in &OF_ONE_CONNECTION {
        headers.remove(name);
    }
}

fn own(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = status;
    answer
}
