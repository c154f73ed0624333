//! Native histograms, from a page in the protobuf format through the real Prometheus to counters.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotfix_core::model::{LatencyBound, Period, Timestamp};
use hotfix_core::port::{Clock as _, CounterSeries, History, HistoryQuery, MetricsQuery, MetricsSource};
use hotfix_metrics::{
    AlertRule, Alerting, AlertsConfig, Convention, Prometheus, PrometheusConfig, Quantile, ReleaseWatch,
    TrafficConfig,
};
use hotfix_testkit::http::{Answer, ScriptedServer};
use hotfix_testkit::monitoring::{PrometheusOptions, RealPrometheus, ScrapeTarget};
use tempfile::TempDir;

use crate::alerts::promtool;
use crate::stage::{Now, eventually, slot};

const INTERVAL: Period = Period::from_millis(200);

/// A field of a protobuf message that is bytes: a text or a message.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    [vec![number << 3 | 2], varint(content.len() as u64), content.to_vec()].concat()
}

/// A field that is a whole number.
fn number(number: u8, value: u64) -> Vec<u8> {
    [vec![number << 3], varint(value)].concat()
}

/// A field that is a whole number with a sign.
fn signed(field: u8, value: i64) -> Vec<u8> {
    number(field, ((value << 1) ^ (value >> 63)).cast_unsigned())
}

/// A field that is a float.
fn double(number: u8, value: f64) -> Vec<u8> {
    [vec![number << 3 | 1], value.to_le_bytes().to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(0x80 | (value & 0x7f) as u8);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A page with one native histogram for each status, with `quick` requests between 1/8 s and 1/4 s and `slow` ones between
/// 1/2 s and 1 s: a `MetricFamily` of `io.prometheus.client`.
fn page(statuses: &[(&str, i64, i64)]) -> Answer {
    let metrics = statuses.iter().map(|(status, quick, slow)| {
        let labels = [
            ("deployment_environment_name", "production"),
            ("service_name", "shop"),
            ("slot", "blue"),
            ("http_response_status_code", *status),
        ];
        let labels = labels.iter().flat_map(|(name, value)| {
            bytes(1, &[bytes(1, name.as_bytes()), bytes(2, value.as_bytes())].concat())
        });
        // Buckets end at powers of two: from 2^-3 to 2^-2, a gap of one, and from 2^-1 to 2^0.
        let histogram = [
            number(1, (quick + slow).cast_unsigned()),
            double(2, 1.0),
            signed(5, 0),
            double(6, 1e-9),
            bytes(12, &[signed(1, -2), number(2, 1)].concat()),
            bytes(12, &[signed(1, 1), number(2, 1)].concat()),
            signed(13, *quick),
            signed(13, slow - quick),
        ];
        bytes(4, &[labels.collect(), bytes(7, &histogram.concat())].concat())
    });
    let family =
        [bytes(1, b"http_server_request_duration_seconds"), number(3, 4), metrics.flatten().collect()]
            .concat();
    let kind = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    Answer::status(200).header("content-type", kind).text([varint(family.len() as u64), family].concat())
}

/// A service that knows native histograms only, and the real Prometheus that scrapes it.
struct Shop {
    instance: ScriptedServer,
    prometheus: RealPrometheus,
    source: Prometheus,
    query: MetricsQuery,
}

impl Shop {
    async fn open(statuses: &[(&str, i64, i64)]) -> Self {
        let instance = ScriptedServer::start().await;
        instance.otherwise(page(statuses));
        let (address, path) = (instance.address(), "/metrics".to_owned());
        let options = PrometheusOptions {
            interval: INTERVAL.to_duration(),
            targets: vec![ScrapeTarget { address, path, labels: BTreeMap::new() }],
            native_histograms: true,
            ..PrometheusOptions::default()
        };
        let prometheus = RealPrometheus::start(&options).await.unwrap();
        let config = PrometheusConfig {
            url: prometheus.url(),
            interval: INTERVAL,
            traffic: traffic(),
            ..PrometheusConfig::default()
        };
        let source = Prometheus::new(&config, Arc::new(Now)).unwrap();
        let query = MetricsQuery {
            target: "production/shop".parse().unwrap(),
            slots: vec![slot("blue")],
            bounds: [250, 300, 1000].map(bound).to_vec(),
        };
        Self { instance, prometheus, source, query }
    }

    /// Waits until so many requests are counted.
    async fn counted(&self, requests: f64) -> CounterSeries {
        eventually("the requests are counted", || async {
            let mut series = self.source.scrape(&self.query).await.unwrap().series;
            series.pop().filter(|series| series.requests == requests)
        })
        .await
    }

    /// What an alert would tell now, if it fired.
    fn value(&self, alert: &AlertRule) -> Option<f64> {
        let (url, folder) = (self.prometheus.url(), TempDir::new().unwrap());
        let said = promtool(folder.path(), &["query", "instant", &url, &alert.expr]).unwrap();
        let (_, value) = said.trim().split_once("=> ")?;
        Some(value.split(' ').next().unwrap().parse().unwrap())
    }
}

fn traffic() -> TrafficConfig {
    TrafficConfig { convention: Convention::OpenTelemetry, ..TrafficConfig::default() }
}

fn bound(millis: u64) -> LatencyBound {
    LatencyBound::from_micros(millis * 1000).unwrap()
}

#[tokio::test]
async fn native_histograms_count_requests_errors_and_slow_requests() {
    let shop = Shop::open(&[("200", 3, 2), ("503", 1, 0)]).await;
    let Shop { instance, source, query, .. } = &shop;
    let series = shop.counted(6.0).await;
    assert_eq!(series.errors, Some(1.0));
    assert_eq!(series.slow, BTreeMap::from([(bound(250), 2.0), (bound(1000), 0.0)]));

    let (target, slot) = (query.target.clone(), slot("blue"));
    let past = HistoryQuery { target: target.clone(), slot: slot.clone(), interval: INTERVAL, points: 100 };
    let history = || async { source.history(&past).await.unwrap() };
    eventually("there is a past", || async { (history().await.errors.len() > 1).then_some(()) }).await;

    instance.otherwise(page(&[("200", 3, 6), ("503", 4, 0)]));
    let series = shop.counted(13.0).await;
    assert_eq!((series.errors, &series.slow[&bound(250)]), (Some(4.0), &6.0));

    let happened = |history: &History| history.errors.iter().sum::<u64>() > 0;
    let history = eventually("the past has it", || async { Some(history().await).filter(happened) }).await;
    assert_eq!(history.errors.iter().sum::<u64>(), 3);
    let slow: Vec<_> = history
        .latency
        .iter()
        .map(|bucket| (bucket.bound, bucket.slower.iter().sum::<u64>(), bucket.of))
        .collect();
    assert_eq!(slow, [(bound(250), 4, 7), (bound(1000), 0, 7)]);

    let report = source.report(&target, &slot, Period::from_secs(10)).await.unwrap();
    let (rate, ratio) = (report.requests_per_second.unwrap(), report.error_ratio.unwrap());
    assert!(rate > 0.0 && (ratio - 3.0 / 7.0).abs() < 1e-9, "{report}");
    assert!(
        matches!(report.p99, Some(Quantile::About(seconds)) if seconds > 0.5 && seconds <= 1.0),
        "{report}"
    );
}

#[tokio::test]
async fn alerts_about_a_release_need_no_classic_histogram() {
    let shop = Shop::open(&[("200", 100, 0), ("503", 0, 0)]).await;
    shop.counted(100.0).await;
    shop.instance.otherwise(page(&[("200", 200, 0), ("503", 0, 0)]));
    shop.counted(200.0).await;
    // Prometheus is asked for the time before a whole second.
    let since = Timestamp::from_timestamp(Now.now().timestamp() + 1, 0).unwrap();
    eventually("the rollout begins", || async { (Now.now() > since).then_some(()) }).await;
    let release = ReleaseWatch {
        target: shop.query.target.clone(),
        slots: shop.query.slots.clone(),
        version: "2.1.1".parse().unwrap(),
        since,
    };
    let [errors, slow, ..] =
        &Alerting::new(&traffic(), &AlertsConfig::default()).unwrap().rules(&release).rules[..]
    else {
        panic!("two rules at least")
    };
    assert_eq!((shop.value(errors), shop.value(slow)), (None, None));

    shop.instance.otherwise(page(&[("200", 200, 100), ("503", 20, 0)]));
    shop.counted(320.0).await;
    let (ratio, p95) = (shop.value(errors).unwrap(), shop.value(slow).unwrap());
    assert!((ratio - 20.0 / 220.0).abs() < 1e-9, "{ratio}");
    assert!(p95 > 0.5 && p95 <= 1.0, "{p95}");
}
