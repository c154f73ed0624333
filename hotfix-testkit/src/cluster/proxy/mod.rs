//! A proxy in front of the API server that loses, delays, holds, repeats and replaces requests and answers, as a test
//! scripts it.
//!
//! Towards the caller it speaks plain HTTP on loopback, so that nobody's certificate is in the way; towards the server
//! it is a client as any other, and the caller's token passes through. Watches stream.

mod disturbance;
mod forward;
mod hold;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::config::AuthInfo;
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

pub use disturbance::{Disturbance, Happened};
use disturbance::{Rule, Script};
use hold::Holds;

use crate::http::Recorded;

/// A proxy in front of an API server. Dropping it closes every connection through it.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    cut: watch::Sender<u64>,
    accept: AbortHandle,
}

pub(super) struct Shared {
    server: Client,
    script: Mutex<Script>,
    holds: Holds,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("script", &self.script).finish_non_exhaustive()
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultProxy {
    /// Starts a proxy in front of the server that the configuration leads to. It lives in the runtime that this is
    /// called in.
    ///
    /// # Errors
    /// When the configuration cannot be used, or there is no port.
    pub async fn start(server: &Config) -> io::Result<Self> {
        let mut server = server.clone();
        // Whoever asks says who they are, and decides what is tried again.
        server.auth_info = AuthInfo::default();
        server.default_retry = false;
        let server = Client::try_from(server).map_err(io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { server, script: Mutex::default(), holds: Holds::default() });
        let (cut, cuts) = watch::channel(0);
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared), cuts)).abort_handle();
        Ok(Self { address, shared, cut, accept })
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the configuration with the way led through the proxy. The user stays the same, if it is one by token.
    ///
    /// # Panics
    /// Never: an address with a port is a URL.
    #[must_use]
    pub fn through(&self, config: &Config) -> Config {
        let mut config = config.clone();
        config.cluster_url =
            format!("http://{}", self.address).parse().expect("an address with a port is a URL");
        config
    }

    /// Disturbs the next request that is like this, and no other. Of several that fit, the first that was scripted
    /// counts.
    pub fn next(&self, is_meant: impl Fn(&Recorded) -> bool + Send + 'static, disturbance: Disturbance) {
        self.shared.script().add(Rule::once(is_meant, disturbance));
    }

    /// Disturbs every request that is like this, until [`clear`](Self::clear).
    pub fn every(&self, is_meant: impl Fn(&Recorded) -> bool + Send + 'static, disturbance: Disturbance) {
        self.shared.script().add(Rule::for_ever(is_meant, disturbance));
    }

    /// Forgets everything that was scripted. What is held stays held.
    pub fn clear(&self) {
        self.shared.script().clear();
    }

    /// Returns every request that came, in order, with what was done to it.
    #[must_use]
    pub fn happened(&self) -> Vec<Happened> {
        self.shared.script().happened()
    }

    /// Waits until that many requests or copies are held.
    pub async fn held(&self, count: usize) {
        self.shared.holds.reached(count).await;
    }

    /// Lets the server have what is held, one after the other in the order in which it came, also if its caller has given
    /// up. Returns the status of each answer, once the server has given it; 0 where there was none.
    pub async fn release(&self) -> Vec<u16> {
        self.shared.holds.release().await
    }

    /// Closes every connection there is, in the middle of whatever is going on, watches above all. New ones are welcome.
    pub fn cut_connections(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, cuts: watch::Receiver<u64>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let (shared, mut cuts) = (Arc::clone(&shared), cuts.clone());
        cuts.mark_unchanged();
        connections.spawn(async move {
            let service = service_fn(|request| forward::serve(request, Arc::clone(&shared)));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            // However it ends, the script or the caller wanted it so.
            tokio::select! {
                _ended = connection => {}
                _cut = cuts.changed() => {}
            }
        });
    }
}
