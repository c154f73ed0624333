//! One Prometheus for all tests, which scrapes a page for each of them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hotfix_core::model::{Period, SlotName, Target};
use hotfix_core::port::{Clock, MetricsQuery, MetricsSource, Scrape};
use hotfix_metrics::{Prometheus, PrometheusConfig};
use hotfix_testkit::monitoring::{PrometheusOptions, RealPrometheus, ScrapeTarget};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::instance::Instance;

/// How often the pages are scraped.
pub(crate) const INTERVAL: Period = Period::from_millis(200);

/// More pages than tests ask for.
const PAGES: usize = 40;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What one page shows: instances by name.
type Page = Arc<Mutex<BTreeMap<String, Instance>>>;

/// A service of a test's own.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) target: Target,
    page: Page,
}

struct Stage {
    address: SocketAddr,
    pages: Vec<Page>,
    next: AtomicUsize,
}

fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| {
        // It outlives the runtime of each test; Prometheus ends with the process.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (ready, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let pages: Vec<Page> = (0..PAGES).map(|_| Page::default()).collect();
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let served = pages.clone();
                let server = tokio::spawn(serve(listener, served));
                let prometheus = RealPrometheus::start(&options(address)).await.unwrap();
                ready.send((prometheus.address(), pages)).unwrap();
                server.await.unwrap();
            });
        });
        let (address, pages) = started.recv().expect("Prometheus starts");
        Stage { address, pages, next: AtomicUsize::new(0) }
    })
}

fn options(address: SocketAddr) -> PrometheusOptions {
    let target = |page: usize| ScrapeTarget { address, path: format!("/{page}"), labels: BTreeMap::new() };
    let interval = INTERVAL.to_duration();
    PrometheusOptions { interval, targets: (0..PAGES).map(target).collect(), ..PrometheusOptions::default() }
}

async fn serve(listener: TcpListener, pages: Vec<Page>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let pages = pages.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
                let number: usize = request.uri().path()[1..].parse().unwrap();
                let body = page(number, &pages[number]);
                async move { Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from(body)))) }
            });
            let _ended = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

fn page(number: usize, page: &Page) -> String {
    let page = page.lock().unwrap();
    page.iter().map(|(name, instance)| instance.page(&service(number), name)).collect()
}

fn service(number: usize) -> String {
    format!("shop-{number}")
}

#[derive(Debug)]
pub(crate) struct Now;

impl Clock for Now {
    fn now(&self) -> hotfix_core::model::Timestamp {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap();
        hotfix_core::model::Timestamp::from_timestamp_millis(since.as_millis().try_into().unwrap()).unwrap()
    }
}

/// Returns where the Prometheus of the stage listens.
pub(crate) fn address() -> SocketAddr {
    stage().address
}

/// Reads from the Prometheus of the stage.
pub(crate) fn prometheus() -> Prometheus {
    prometheus_at(INTERVAL)
}

/// The same, told that pages are scraped that often.
pub(crate) fn prometheus_at(interval: Period) -> Prometheus {
    let url = format!("http://{}", address());
    let config = PrometheusConfig { url, interval, ..PrometheusConfig::default() };
    Prometheus::new(&config, Arc::new(Now)).unwrap()
}

impl Service {
    /// Takes a page that no other test has.
    pub(crate) fn new() -> Self {
        let stage = stage();
        let number = stage.next.fetch_add(1, Ordering::Relaxed);
        let target = format!("production/{}", service(number)).parse().unwrap();
        Self { target, page: Arc::clone(&stage.pages[number]) }
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Instance)) {
        let mut page = self.page.lock().unwrap();
        let slot = name.split_once('-').map_or(name, |(slot, _)| slot);
        change(page.entry(name.to_owned()).or_insert_with(|| Instance::new(slot)));
    }

    pub(crate) fn query(&self) -> MetricsQuery {
        let slots = [slot("blue"), slot("green")].into();
        MetricsQuery { target: self.target.clone(), slots, bounds: Vec::new() }
    }

    /// Scrapes until what is found is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Scrape) -> bool + Sync) -> Scrape {
        let source = prometheus();
        eventually(what, || async { Some(source.scrape(&self.query()).await.unwrap()).filter(&wanted) }).await
    }
}

/// Waits for a condition with a deadline.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

pub(crate) fn slot(name: &str) -> SlotName {
    name.parse().unwrap()
}

/// Requests of a slot, over all instances that show any.
pub(crate) fn requests(scrape: &Scrape, name: &str) -> f64 {
    scrape.series.iter().filter(|series| series.slot.as_str() == name).map(|series| series.requests).sum()
}
