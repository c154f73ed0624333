//! The customers: steady checkouts over connections that are kept alive, each answer counted by who gave it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Failure;
use crate::service::VERSION_HEADER;

/// How many customers there are.
const CUSTOMERS: u32 = 12;
/// How long each waits between two checkouts.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of the requests since the counters were taken last.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(crate) struct Served {
    /// Requests that were answered well.
    pub(crate) served: u64,
    /// Requests that a bad release answered with an error.
    pub(crate) failed_by_release: u64,
    /// Requests that failed for any other reason: those would be our fault.
    pub(crate) failed_by_shift: u64,
}

/// Traffic that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Traffic {
    counted: Arc<Counted>,
    _customers: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Counted {
    served: AtomicU64,
    failed_by_release: AtomicU64,
    failed_by_shift: AtomicU64,
    /// Versions that are known to fail.
    bad: Mutex<BTreeSet<String>>,
}

impl Traffic {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let counted = Arc::new(Counted::default());
        let mut customers = JoinSet::new();
        for _ in 0..CUSTOMERS {
            customers.spawn(shop(address, Arc::clone(&counted)));
        }
        Self { counted, _customers: customers }
    }

    /// Expects errors of a version.
    pub(crate) fn expect_errors_of(&self, version: &str) {
        self.counted.bad.lock().unwrap_or_else(PoisonError::into_inner).insert(version.to_owned());
    }

    /// Returns what was counted and begins anew.
    pub(crate) fn take(&self) -> Served {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Served {
            served: take(&self.counted.served),
            failed_by_release: take(&self.counted.failed_by_release),
            failed_by_shift: take(&self.counted.failed_by_shift),
        }
    }

    /// Returns how many requests were answered so far in this part.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let failed = read(&self.counted.failed_by_release) + read(&self.counted.failed_by_shift);
        (read(&self.counted.served), failed)
    }
}

impl Counted {
    fn count(&self, answer: Result<(u16, String), Failure>) {
        let counter = match answer {
            Ok((200, _)) => &self.served,
            Ok((_, version)) if self.is_bad(&version) => &self.failed_by_release,
            _ => &self.failed_by_shift,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn is_bad(&self, version: &str) -> bool {
        self.bad.lock().unwrap_or_else(PoisonError::into_inner).contains(version)
    }
}

/// One customer.
async fn shop(address: SocketAddr, counted: Arc<Counted>) {
    let mut connection = None;
    let mut rhythm = tokio::time::interval(PAUSE);
    loop {
        rhythm.tick().await;
        let answer = checkout(address, &mut connection).await;
        if answer.is_err() {
            connection = None;
        }
        counted.count(answer);
    }
}

async fn checkout(
    address: SocketAddr,
    connection: &mut Option<SendRequest<Empty<Bytes>>>,
) -> Result<(u16, String), Failure> {
    let sender = match connection {
        Some(sender) => sender,
        None => {
            let (sender, driver) = handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
            tokio::spawn(driver);
            connection.insert(sender)
        }
    };
    sender.ready().await?;
    let request = Request::get("/checkout").header("host", "shop.example").body(Empty::new())?;
    let answer = sender.send_request(request).await?;
    let version =
        answer.headers().get(VERSION_HEADER).and_then(|version| version.to_str().ok()).unwrap_or_default();
    let seen = (answer.status().as_u16(), version.to_owned());
    answer.into_body().collect().await?;
    Ok(seen)
}
