//! A proxy in front of a real server that loses, delays, holds, repeats, replaces and damages requests and answers, as a
//! test scripts it.
//!
//! Towards the caller it speaks plain HTTP on loopback, so that nobody's certificate is in the way. What it does not
//! disturb streams.

mod damage;
mod disturbance;
mod forward;
mod hold;
mod lines;
mod upstream;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

pub use damage::Damage;
pub use disturbance::{Disturbance, Happened};
use disturbance::{Rule, Script};
use hold::Holds;
use upstream::Plain;
pub(crate) use upstream::{Answered, Upstream};

use crate::http::Recorded;

/// A proxy in front of a server. Dropping it closes every connection through it.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    cut: watch::Sender<u64>,
    accept: AbortHandle,
}

pub(super) struct Shared {
    server: Arc<dyn Upstream>,
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
    /// Starts a proxy in front of a server that speaks plain HTTP. It lives in the runtime that this is called in.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn to(server: SocketAddr) -> io::Result<Self> {
        Self::before(Arc::new(Plain(server))).await
    }

    pub(crate) async fn before(server: Arc<dyn Upstream>) -> io::Result<Self> {
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

    /// Returns its URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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

    /// Waits until that many requests, copies or answers are held.
    pub async fn held(&self, count: usize) {
        self.shared.holds.reached(count).await;
    }

    /// Lets everything go on that is held, one after the other in the order in which it came, also if its caller has given
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
            let Ok((socket, control)) = twice(socket) else { return };
            let service = service_fn(|request| forward::serve(request, Arc::clone(&shared), &control));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            // However it ends, the script or the caller wanted it so.
            tokio::select! {
                _ended = connection => {}
                _cut = cuts.changed() => {}
            }
        });
    }
}

/// Returns the socket and a second handle to it, which lives as long: a reset is decided by whoever serves it.
fn twice(socket: TcpStream) -> io::Result<(TcpStream, TcpStream)> {
    let socket = socket.into_std()?;
    let control = TcpStream::from_std(socket.try_clone()?)?;
    Ok((TcpStream::from_std(socket)?, control))
}
