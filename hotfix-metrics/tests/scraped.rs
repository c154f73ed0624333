//! What is counted when instances restart, appear, disappear and lie.

use hotfix_core::judge::Increments;
use hotfix_core::model::{Counts, Missing, Reading};
use hotfix_core::port::{Clock, History, HistoryQuery, MetricsSource};

use hotfix_core::model::Period;
use hotfix_metrics::Quantile;

use crate::stage::{INTERVAL, Now, Service, eventually, prometheus, prometheus_at, requests, slot};

fn increments() -> Increments {
    Increments::new(slot("green"), Some(slot("blue")), Now.now())
}

fn counts(requests: u64, errors: u64) -> Reading {
    Reading::Counts(Counts::new(requests, errors).unwrap())
}

#[tokio::test]
async fn a_restart_between_two_looks_loses_nothing() {
    let (service, mut increments) = (Service::new(), increments());
    service.change("green-1", |instance| instance.serve(200, 10, 0.01));
    service.until("the requests are counted", |scrape| requests(scrape, "green") == 10.0).await;
    service.change("green-1", |instance| {
        instance.restart();
        instance.serve(200, 3, 0.01);
        instance.serve(500, 1, 0.01);
    });
    let scrape = service.until("both lives are told", |scrape| requests(scrape, "green") == 14.0).await;
    let lives: Vec<_> = scrape.series.iter().map(|series| (series.requests, series.errors)).collect();
    assert_eq!(lives, [(10.0, None), (4.0, Some(1.0))]);
    assert_eq!(increments.take(Now.now(), &scrape).canary, counts(14, 1));
    assert_eq!(increments.take(Now.now(), &scrape).canary, Reading::Missing(Missing::Stale));
}

#[tokio::test]
async fn the_first_errors_of_a_new_instance_count() {
    let (service, mut increments) = (Service::new(), increments());
    service.change("blue-1", |instance| instance.serve(200, 100, 0.01));
    let scrape = service.until("the old one is there", |scrape| requests(scrape, "blue") == 100.0).await;
    increments.prime(&scrape);
    service.change("green-1", |instance| instance.serve(500, 2, 0.01));
    service.change("blue-1", |instance| {
        instance.serve(200, 5, 0.01);
        // A status that an old instance never told before.
        instance.serve(500, 1, 0.01);
    });
    let scrape = service
        .until("both are counted", |scrape| {
            requests(scrape, "green") == 2.0 && requests(scrape, "blue") == 106.0
        })
        .await;
    let sample = increments.take(Now.now(), &scrape);
    assert_eq!((sample.canary, sample.baseline), (counts(2, 2), counts(6, 1)));
}

/// One look reads all counters of a scrape or none of them, so that nothing has to settle.
#[tokio::test]
async fn what_is_read_the_moment_it_is_scraped_is_whole() {
    let (service, mut increments, source) = (Service::new(), increments(), prometheus());
    service.change("green-1", |instance| instance.serve(500, 1, 0.01));
    let first = service.until("it is there", |scrape| requests(scrape, "green") == 1.0).await;
    let mut counted = increments.take(Now.now(), &first).canary.counts().unwrap().requests();
    let mut fresh = 0;
    for _ in 0..400 {
        service.change("green-1", |instance| instance.serve(500, 7, 0.01));
        match increments.take(Now.now(), &source.scrape(&service.query()).await.unwrap()).canary {
            Reading::Counts(counts) => {
                assert_eq!(counts.errors(), counts.requests(), "each of them failed");
                counted += counts.requests();
                fresh += 1;
            }
            reading => assert_eq!(reading, Reading::Missing(Missing::Stale)),
        }
    }
    assert!(fresh > 0, "the looks span several scrapes");
    let all = service.until("all are there", |scrape| requests(scrape, "green") == 2801.0).await;
    counted += increments.take(Now.now(), &all).canary.counts().map_or(0, |counts| counts.requests());
    assert_eq!(counted, 2801);
}

#[tokio::test]
async fn an_instance_that_is_gone_counts_once_and_then_is_absent() {
    let (service, mut increments) = (Service::new(), increments());
    service.change("green-1", |instance| instance.serve(200, 7, 0.01));
    let scrape = service.until("it is counted", |scrape| requests(scrape, "green") == 7.0).await;
    assert_eq!(increments.take(Now.now(), &scrape).canary, counts(7, 0));
    service.change("green-1", |instance| instance.stop());
    service.change("blue-1", |instance| instance.serve(200, 1, 0.01));
    let scrape = service.until("the other one is there", |scrape| requests(scrape, "blue") == 1.0).await;
    assert_eq!(increments.take(Now.now(), &scrape).canary, Reading::Absent);
    service
        .until("it is forgotten", |scrape| {
            requests(scrape, "green") == 0.0 && requests(scrape, "blue") == 1.0
        })
        .await;
}

#[tokio::test]
async fn what_is_no_count_makes_the_scrape_missing() {
    for lie in ["NaN", "+Inf", "-3"] {
        let service = Service::new();
        service.change("green-1", |instance| {
            instance.serve(200, 7, 0.01);
            instance.lie(lie);
        });
        let scrape = service.until("it lies", |scrape| !scrape.series.is_empty()).await;
        let Reading::Missing(Missing::NotACount { value, .. }) = increments().take(Now.now(), &scrape).canary
        else {
            panic!("{lie} was counted: {scrape:?}");
        };
        assert_eq!(value.parse::<f64>().unwrap().to_string(), lie.parse::<f64>().unwrap().to_string());
    }
}

#[tokio::test]
async fn what_is_scraped_less_often_than_it_is_said_is_missing_with_the_mend() {
    let service = Service::new();
    service.change("green-1", |instance| instance.serve(200, 7, 0.01));
    service.until("it is counted", |scrape| requests(scrape, "green") == 7.0).await;
    let hasty = prometheus_at(Period::from_millis(INTERVAL.as_millis() / 4));
    let refused = eventually("two samples are in the window", || async {
        hasty.scrape(&service.query()).await.err().map(|error| error.to_string())
    })
    .await;
    assert!(refused.starts_with("metrics.scrape: invalid: the samples are "), "{refused}");
    assert!(
        refused.ends_with(" apart and not 50ms; set `interval` to the scrape_interval of the job"),
        "{refused}"
    );
    // It stays so when an answer holds one sample only.
    let again = hasty.scrape(&service.query()).await.unwrap_err();
    assert_eq!(again.kind(), hotfix_core::ErrorKind::Invalid);
}

#[tokio::test]
async fn the_history_has_the_errors_of_the_past() {
    let (service, source) = (Service::new(), prometheus());
    let history = |name| {
        let (target, slot) = (service.target.clone(), slot(name));
        let query = HistoryQuery { target, slot, interval: INTERVAL, points: 100 };
        let source = &source;
        async move { source.history(&query).await.unwrap() }
    };
    service.change("blue-1", |instance| instance.serve(200, 1, 0.01));
    eventually("there is a past", || async { (history("blue").await.errors.len() > 1).then_some(()) }).await;
    service.change("blue-1", |instance| {
        instance.serve(500, 3, 0.2);
        instance.serve(200, 4, 0.01);
    });
    let errors = |history: &History| history.errors.iter().sum::<u64>();
    let past = eventually("the errors are in it", || async {
        Some(history("blue").await).filter(|history| errors(history) > 0)
    })
    .await;
    assert_eq!(errors(&past), 3);
    let slow: Vec<_> = past
        .latency
        .iter()
        .map(|bucket| (bucket.bound.to_string(), bucket.slower.iter().sum::<u64>(), bucket.of))
        .collect();
    let row = |bound: &str, slower| (bound.to_owned(), slower, 7);
    assert_eq!(slow, [row("5ms", 7), row("50ms", 3), row("100ms", 3), row("250ms", 0), row("1s", 0)]);
    assert_eq!(history("green").await, History::default());
}

#[tokio::test]
async fn people_get_rates_and_quantiles() {
    let service = Service::new();
    service.change("blue-1", |instance| {
        instance.serve(200, 1, 0.01);
        // What a rate is taken of must have been there before.
        instance.serve(500, 1, 3.0);
    });
    service.until("it is there", |scrape| requests(scrape, "blue") == 2.0).await;
    service.change("blue-1", |instance| {
        instance.serve(200, 96, 0.06);
        instance.serve(500, 4, 3.0);
    });
    service.until("it is counted", |scrape| requests(scrape, "blue") == 102.0).await;
    let source = prometheus();
    let report = eventually("the rate rises", || async {
        let report = source.report(&service.target, &slot("blue"), Period::from_secs(10)).await.unwrap();
        (report.error_ratio? > 0.0).then_some(report)
    })
    .await;
    assert!(report.requests_per_second.unwrap() > 1.0, "{report}");
    // Prometheus extrapolates each status by itself.
    assert!((0.03..0.06).contains(&report.error_ratio.unwrap()), "{report}");
    assert!(
        matches!(report.p95, Some(Quantile::About(seconds)) if seconds > 0.05 && seconds <= 0.1),
        "{report}"
    );
    assert_eq!(report.p99, Some(Quantile::Above(1.0)));
    let nothing = source.report(&service.target, &slot("green"), Period::from_secs(10)).await.unwrap();
    assert_eq!((nothing.error_ratio, nothing.p95), (None, None));
}
