//! What a bad wire makes of the answers of the real Prometheus: a scrape that is missing, or the same one a moment later.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::decide::{Gate, Verification};
use hotfix_core::model::{Dispersion, Missing, Period, Ruling, Sample, VerificationRules};
use hotfix_core::port::{Clock as _, MetricsSource as _, Scrape};
use hotfix_core::{Error, ErrorKind, RetryClass};
use hotfix_http::HttpConfig;
use hotfix_metrics::{Prometheus, PrometheusConfig};
use hotfix_testkit::http::Answer;
use hotfix_testkit::proxy::{Damage, Disturbance, FaultProxy};

use crate::stage::{INTERVAL, Now, Service, address, requests};

/// How long a scrape is tried for where it is to fail.
const PATIENCE: Period = Period::from_millis(900);
const CONNECT: Period = Period::from_millis(500);

/// The real Prometheus behind a proxy, with a service that it knows.
struct Wire {
    proxy: FaultProxy,
    service: Service,
}

impl Wire {
    async fn new() -> Self {
        let service = Service::new();
        service.change("green-1", |instance| instance.serve(200, 10, 0.01));
        service.until("the requests are counted", |scrape| requests(scrape, "green") == 10.0).await;
        Self { proxy: FaultProxy::to(address()).await.unwrap(), service }
    }

    async fn scrape(&self) -> Result<Scrape, Error> {
        self.scrape_at(self.proxy.url(), PATIENCE).await
    }

    async fn scrape_at(&self, url: String, patience: Period) -> Result<Scrape, Error> {
        let http = HttpConfig { deadline: patience, connect: CONNECT, ..HttpConfig::default() };
        let config = PrometheusConfig { url, interval: INTERVAL, http, ..PrometheusConfig::default() };
        Prometheus::new(&config, Arc::new(Now)).unwrap().scrape(&self.service.query()).await
    }
}

fn html(status: u16) -> Disturbance {
    let page = "<html><head><title>502 Bad Gateway</title></head></html>";
    Disturbance::Instead(Answer::status(status).header("content-type", "text/html").text(page))
}

/// Every fault with what it is when it lasts.
fn faults() -> Vec<(&'static str, Disturbance, ErrorKind, RetryClass)> {
    use Disturbance::{DamageAnswer, Delay, Instead, LoseAnswer, Reset};
    let (late, slow) = (Period::from_secs(30), Period::from_millis(300));
    let passing = |name, fault, kind| (name, fault, kind, RetryClass::Later);
    vec![
        passing("cut before the body", DamageAnswer(Damage::CutAfter(0)), ErrorKind::Unavailable),
        passing("cut within the body", DamageAnswer(Damage::CutAfter(120)), ErrorKind::Unavailable),
        passing("silent within the body", DamageAnswer(Damage::HangAfter(120)), ErrorKind::Timeout),
        passing("byte by byte", DamageAnswer(Damage::Drip(slow)), ErrorKind::Timeout),
        passing("late", Delay(late), ErrorKind::Timeout),
        passing("never", Instead(Answer::hang()), ErrorKind::Timeout),
        passing("closed", Instead(Answer::cut()), ErrorKind::Unavailable),
        passing("reset", Reset, ErrorKind::Unavailable),
        passing("answered to nobody", LoseAnswer, ErrorKind::Unavailable),
        passing("a gateway without a server", html(502), ErrorKind::Unavailable),
        passing("a gateway that gave up waiting", html(504), ErrorKind::Timeout),
        passing("too many", html(429), ErrorKind::Unavailable),
        ("garbage", DamageAnswer(Damage::GarbageFrom(60)), ErrorKind::Unexpected, RetryClass::Never),
        (
            "garbage from the start",
            DamageAnswer(Damage::GarbageFrom(0)),
            ErrorKind::Unexpected,
            RetryClass::Never,
        ),
        ("a login page", html(200), ErrorKind::Unexpected, RetryClass::Never),
        ("a way that leads nowhere", html(404), ErrorKind::NotFound, RetryClass::Never),
    ]
}

/// Lets the judge see a scrape that failed, and asserts that it neither passes nor condemns.
fn judged(error: &Error) {
    let rules = VerificationRules::default();
    let gate = Gate::at(10).unwrap();
    let mut verification = Verification::new(&rules, gate, 0, Dispersion::NONE).unwrap();
    for look in 1..=30 {
        let sample = Sample::missed(Now.now(), Missing::failed(error));
        let (_, ruling) = verification.observe(&sample, &[]);
        let stays = matches!(ruling, Ruling::Hold { .. } | Ruling::Freeze { .. });
        assert!(stays, "look {look}: {ruling}");
    }
}

#[tokio::test]
async fn what_lasts_makes_the_scrape_missing_and_never_passes() {
    let wire = Wire::new().await;
    for (name, fault, kind, retry) in faults() {
        wire.proxy.every(|_| true, fault);
        let error = wire.scrape().await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{name}: {error}");
        judged(&error);
        wire.proxy.clear();
    }
}

#[tokio::test]
async fn what_passes_costs_nothing_but_time() {
    let wire = Wire::new().await;
    for (name, fault, _, _) in faults().into_iter().filter(|(.., retry)| *retry == RetryClass::Later) {
        // What is silent or slow takes all the time there is; the look after it finds everything.
        let at_once = !matches!(
            fault,
            Disturbance::Delay(_) | Disturbance::DamageAnswer(Damage::HangAfter(_) | Damage::Drip(_))
        ) && name != "never";
        wire.proxy.next(|_| true, fault);
        let scrape = if at_once { wire.scrape().await } else { wire.scrape().await.or(wire.scrape().await) };
        assert_eq!(requests(&scrape.unwrap(), "green"), 10.0, "{name}");
    }
}

#[tokio::test]
async fn a_slow_answer_that_comes_in_time_is_whole() {
    let wire = Wire::new().await;
    wire.proxy.next(|_| true, Disturbance::DamageAnswer(Damage::Drip(Period::from_millis(1))));
    let scrape = wire.scrape_at(wire.proxy.url(), Period::from_secs(20)).await.unwrap();
    assert_eq!(requests(&scrape, "green"), 10.0);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_and_a_port_that_nobody_has_are_told() {
    let wire = Wire::new().await;
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in ["http://prometheus.invalid:9090".to_owned(), format!("http://{unused}")] {
        let started = tokio::time::Instant::now();
        let error = wire.scrape_at(url, PATIENCE).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, RetryClass::Later), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        judged(&error);
    }
}
