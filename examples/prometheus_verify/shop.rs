//! Shops that count their requests, and the pages on which Prometheus finds the counters.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hotfix_testkit::monitoring::ScrapeTarget;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// How good the canary of a shop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quality {
    /// As the baseline: one request in a thousand fails.
    Good,
    /// One request in ten fails.
    Bad,
}

/// Shops beside each other, which serve customers until the street is closed by being dropped.
pub(crate) struct Street {
    address: SocketAddr,
    shops: Shops,
    work: Vec<tokio::task::AbortHandle>,
}

type Shops = Arc<Mutex<BTreeMap<String, Shop>>>;

struct Shop {
    quality: Quality,
    released: bool,
    blue: Counters,
    green: Counters,
}

#[derive(Default)]
struct Counters {
    served: u64,
    failed: u64,
}

/// Requests of all customers of a shop in 50 ms.
const CUSTOMERS: u64 = 400;

impl Street {
    /// Opens shops with a baseline that has all customers.
    pub(crate) async fn open(shops: &[(&str, Quality)]) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shop = |quality| Shop {
            quality,
            released: false,
            blue: Counters::default(),
            green: Counters::default(),
        };
        let shops = shops.iter().map(|(name, quality)| ((*name).to_owned(), shop(*quality)));
        let shops: Shops = Arc::new(Mutex::new(shops.collect()));
        let work = vec![
            tokio::spawn(show(listener, Arc::clone(&shops))).abort_handle(),
            tokio::spawn(sell(Arc::clone(&shops))).abort_handle(),
        ];
        Ok(Self { address, shops, work })
    }

    /// Sends a tenth of the customers to the canary from now on.
    pub(crate) fn release(&self, service: &str) {
        let mut shops = self.shops.lock().unwrap_or_else(PoisonError::into_inner);
        shops.entry(service.to_owned()).and_modify(|shop| shop.released = true);
    }

    /// Returns the pages to scrape.
    pub(crate) fn pages(&self) -> Vec<ScrapeTarget> {
        let shops = self.shops.lock().unwrap_or_else(PoisonError::into_inner);
        let page = |name: &String| ScrapeTarget {
            address: self.address,
            path: format!("/{name}"),
            labels: BTreeMap::new(),
        };
        shops.keys().map(page).collect()
    }
}

impl Drop for Street {
    fn drop(&mut self) {
        self.work.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

impl Shop {
    fn serve(&mut self) {
        let canary = if self.released { CUSTOMERS / 10 } else { 0 };
        self.blue.serve(CUSTOMERS - canary, 1000);
        self.green.serve(canary, if self.quality == Quality::Good { 1000 } else { 10 });
    }

    fn page(&self, service: &str) -> String {
        let mut page = String::new();
        for (slot, Counters { served, failed }) in [("blue", &self.blue), ("green", &self.green)] {
            let labels =
                format!("namespace=\"production\",app=\"{service}\",slot=\"{slot}\",pod=\"{slot}-1\"");
            for (code, count) in [("200", served - failed), ("503", *failed)] {
                // As in most libraries, what never happened has no series.
                if count > 0 {
                    let _ = writeln!(page, "http_requests_total{{{labels},code=\"{code}\"}} {count}");
                }
            }
        }
        page
    }
}

impl Counters {
    /// Serves customers, of whom one in so many is turned away.
    const fn serve(&mut self, customers: u64, one_in: u64) {
        self.served += customers;
        self.failed = self.served / one_in;
    }
}

async fn sell(shops: Shops) {
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        let mut shops = shops.lock().unwrap_or_else(PoisonError::into_inner);
        shops.values_mut().for_each(Shop::serve);
    }
}

async fn show(listener: TcpListener, shops: Shops) {
    while let Ok((socket, _)) = listener.accept().await {
        let shops = Arc::clone(&shops);
        tokio::spawn(async move {
            let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
                let service = request.uri().path().trim_start_matches('/');
                let shops = shops.lock().unwrap_or_else(PoisonError::into_inner);
                let page = shops.get(service).map(|shop| shop.page(service)).unwrap_or_default();
                async move { Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from(page)))) }
            });
            // Prometheus ends connections when it ends.
            let _ended = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}
