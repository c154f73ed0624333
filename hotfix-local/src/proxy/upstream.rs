//! One instance as the proxy sees it: its address, its idle connections, its counters, and whether it is being drained.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::Limits;
use super::body::RequestBody;
use super::counters::Counters;

/// A connection that is ready for one more request.
pub(crate) type Connection = SendRequest<RequestBody>;

/// One instance that takes requests.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// The instance's token, which no other instance ever had.
    pub(crate) token: String,
    pub(crate) address: SocketAddr,
    pub(crate) counters: Counters,
    idle: Mutex<Vec<Idle>>,
    in_flight: AtomicUsize,
    draining: AtomicBool,
    drained: Notify,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// One request's hold on an instance: a drain waits until all are dropped.
#[derive(Debug)]
pub(crate) struct Lease(Arc<Upstream>);

impl Upstream {
    pub(crate) fn new(token: String, address: SocketAddr) -> Self {
        Self {
            token,
            address,
            counters: Counters::default(),
            idle: Mutex::new(Vec::new()),
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            drained: Notify::new(),
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Reserves the instance for one request, unless it is being drained.
    ///
    /// The count is raised before the flag is read, and a drain sets the flag before it reads the count: either the
    /// request sees the drain or the drain sees the request.
    pub(crate) fn lease(self: &Arc<Self>) -> Option<Lease> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let lease = Lease(Arc::clone(self));
        if self.draining.load(Ordering::SeqCst) { None } else { Some(lease) }
    }

    /// Takes no more requests and waits until the last one is done.
    pub(crate) async fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        loop {
            let drained = self.drained.notified();
            if self.in_flight() == 0 {
                break;
            }
            drained.await;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the idle connection that was used last, if one is still fresh.
    pub(crate) fn idle_connection(&self, limits: &Limits) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(candidate) = idle.pop() {
            if candidate.since.elapsed() > limits.idle_timeout {
                // Those below it were put back even earlier.
                idle.clear();
            } else if !candidate.connection.is_closed() {
                return Some(candidate.connection);
            }
        }
        None
    }

    /// Opens a new connection.
    pub(crate) async fn connect(&self, limits: &Limits) -> std::io::Result<Connection> {
        let connecting = timeout(limits.connect_timeout, TcpStream::connect(self.address));
        let stream = connecting.await.map_err(|_| std::io::ErrorKind::TimedOut)??;
        stream.set_nodelay(true)?;
        let (connection, driver) = http1::Builder::new()
            .max_buf_size(limits.head_bytes)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            // What goes wrong on the connection is told to whoever waits for an answer on it.
            let _ = driver.await;
        });
        Ok(connection)
    }

    /// Keeps a connection for later requests.
    pub(crate) fn put_back(&self, connection: Connection, limits: &Limits) {
        if connection.is_closed() || self.draining.load(Ordering::SeqCst) {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < limits.idle_connections {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }
}

impl Lease {
    pub(crate) fn upstream(&self) -> &Upstream {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let last = self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.0.draining.load(Ordering::SeqCst) {
            self.0.drained.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    fn upstream() -> Arc<Upstream> {
        Arc::new(Upstream::new("blue-1".to_owned(), "127.0.0.1:1".parse().expect("an address")))
    }

    #[tokio::test]
    async fn a_drain_waits_for_the_last_request_and_refuses_new_ones() {
        let upstream = upstream();
        let (first, second) = (upstream.lease().expect("open"), upstream.lease().expect("open"));
        let mut drain = Box::pin(upstream.drain());
        let mut context = Context::from_waker(Waker::noop());
        assert!(drain.as_mut().poll(&mut context).is_pending());
        assert!(upstream.lease().is_none());
        drop(first);
        assert!(drain.as_mut().poll(&mut context).is_pending());
        drop(second);
        drain.await;
        assert_eq!(upstream.in_flight(), 0);
    }
}
