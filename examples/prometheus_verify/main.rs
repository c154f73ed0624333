//! A good and a bad release, judged by what the real Prometheus scraped of them.
//!
//! `cargo run --example prometheus_verify` starts a Prometheus of its own (the program `prometheus` must be there), which
//! scrapes two small shops. In each a canary gets a tenth of the traffic. One canary is as good as the baseline, the
//! other one fails for one request in ten. Each scrape is read, counted, judged and printed until it is clear what to do.

mod shop;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hotfix::SystemClock;
use hotfix::decide::{Gate, Verification};
use hotfix::judge::{Increments, calibrate};
use hotfix::metrics::{Prometheus, PrometheusConfig};
use hotfix::model::{Period, Ruling, SlotName, Target, VerificationRules};
use hotfix::port::{Clock, HistoryQuery, MetricsQuery, MetricsSource, Scrape};
use hotfix_testkit::monitoring::{PrometheusOptions, RealPrometheus};
use shop::{Quality, Street};

/// How often Prometheus scrapes. Minutes pass in seconds here: in production it is 15 s.
const INTERVAL: Period = Period::from_millis(200);

/// Scrapes of the baseline before the rollout, for what is normal for it.
const PAST: usize = 10;

/// Far more scrapes than a decision takes.
const MOST_SCRAPES: usize = 150;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let street = Street::open(&[("steady", Quality::Good), ("shaky", Quality::Bad)]).await?;
    say("Prometheus starts, and takes five seconds to believe what it is to scrape");
    let options = PrometheusOptions {
        interval: INTERVAL.to_duration(),
        targets: street.pages(),
        ..PrometheusOptions::default()
    };
    let prometheus = RealPrometheus::start(&options).await?;
    let config =
        PrometheusConfig { url: prometheus.url(), interval: INTERVAL, ..PrometheusConfig::default() };
    let source = Prometheus::new(&config, Arc::new(SystemClock))?;

    let good = verify(&street, &source, "steady").await?;
    let bad = verify(&street, &source, "shaky").await?;
    match (&good, &bad) {
        (Ruling::Promote { .. }, Ruling::RollBack { .. }) => Ok(()),
        _ => Err("one of the releases was judged wrongly".into()),
    }
}

/// Sends a tenth of the traffic to the canary and looks at every scrape until it is clear what to do.
async fn verify(street: &Street, source: &Prometheus, service: &str) -> Result<Ruling, Box<dyn Error>> {
    let target: Target = format!("production/{service}").parse()?;
    let (canary, baseline): (SlotName, SlotName) = ("green".parse()?, "blue".parse()?);
    say(&format!("\n{target}: the traffic of the baseline is learnt"));
    let calibration = calibrate(&past(source, &target, &baseline).await?);
    let bounds = calibration.tails.iter().map(|tail| tail.over).collect();
    let query =
        MetricsQuery { target: target.clone(), slots: vec![canary.clone(), baseline.clone()], bounds };

    let mut increments = Increments::new(canary.clone(), Some(baseline), SystemClock.now());
    increments.prime(&source.scrape(&query).await?);
    street.release(service);
    let mut rollout = Verification::new(&VerificationRules::default(), Gate::at(10)?, 0, calibration)?;
    let mut tick = tokio::time::interval(INTERVAL.to_duration());
    for _ in 0..MOST_SCRAPES {
        tick.tick().await;
        // What cannot be read is no health and no harm: it is a scrape that is missing.
        let scrape = source
            .scrape(&query)
            .await
            .unwrap_or_else(|error| Scrape { warnings: vec![error.to_string()], ..Scrape::default() });
        let sample = increments.take(SystemClock.now(), &scrape);
        let (_, ruling) = rollout.observe(&sample, &[]);
        say(&format!("  {ruling}"));
        if !matches!(ruling, Ruling::Hold { .. }) {
            let report = source.report(&target, &canary, Period::from_secs(5)).await?;
            say(&format!("  the canary had {report}"));
            return Ok(ruling);
        }
    }
    Err(format!("nothing was clear after {MOST_SCRAPES} scrapes").into())
}

/// Waits until there is a past to learn from.
async fn past(
    source: &Prometheus,
    target: &Target,
    slot: &SlotName,
) -> Result<hotfix::port::History, Box<dyn Error>> {
    let query = HistoryQuery { target: target.clone(), slot: slot.clone(), interval: INTERVAL, points: 100 };
    for _ in 0..MOST_SCRAPES {
        let history = source.history(&query).await?;
        if history.errors.len() >= PAST {
            return Ok(history);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err("Prometheus has scraped nothing".into())
}

#[expect(clippy::print_stdout, reason = "this is a program for people")]
fn say(line: &str) {
    println!("{line}");
}
