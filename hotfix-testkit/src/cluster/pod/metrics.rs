//! What the service counts, as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The upper bounds of the histogram, in seconds.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Debug, Default)]
pub(super) struct Metrics {
    by_code: Mutex<BTreeMap<u16, Series>>,
}

#[derive(Debug, Default, Clone)]
struct Series {
    count: u64,
    seconds: f64,
    at_most: [u64; BOUNDS.len()],
}

impl Metrics {
    pub(super) fn record(&self, code: u16, took: Duration) {
        let mut by_code = self.by_code.lock().unwrap_or_else(PoisonError::into_inner);
        let series = by_code.entry(code).or_default();
        let seconds = took.as_secs_f64();
        series.count += 1;
        series.seconds += seconds;
        let reached = BOUNDS.iter().zip(&mut series.at_most).filter(|(bound, _)| seconds <= **bound);
        reached.for_each(|(_, at_most)| *at_most += 1);
    }

    /// Writes the page. An answer of 200 is counted from the start, so that its rate is known from the first request on.
    pub(super) fn page(&self) -> String {
        let mut by_code = self.by_code.lock().unwrap_or_else(PoisonError::into_inner).clone();
        by_code.entry(200).or_default();
        let mut page = "# TYPE http_requests_total counter\n".to_owned();
        for (code, series) in &by_code {
            let _infallible = writeln!(page, "http_requests_total{{code=\"{code}\"}} {}", series.count);
        }
        page.push_str("# TYPE http_request_duration_seconds histogram\n");
        for (code, series) in &by_code {
            write_histogram(&mut page, *code, series);
        }
        page
    }
}

fn write_histogram(page: &mut String, code: u16, series: &Series) {
    let name = "http_request_duration_seconds";
    for (bound, at_most) in BOUNDS.iter().zip(series.at_most) {
        let _infallible = writeln!(page, "{name}_bucket{{code=\"{code}\",le=\"{bound}\"}} {at_most}");
    }
    let Series { count, seconds, .. } = series;
    let _infallible = writeln!(page, "{name}_bucket{{code=\"{code}\",le=\"+Inf\"}} {count}");
    let _infallible = writeln!(page, "{name}_sum{{code=\"{code}\"}} {seconds}");
    let _infallible = writeln!(page, "{name}_count{{code=\"{code}\"}} {count}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_everything_below_them() {
        let metrics = Metrics::default();
        metrics.record(200, Duration::from_millis(20));
        metrics.record(200, Duration::from_secs(60));
        metrics.record(500, Duration::ZERO);
        let page = metrics.page();
        let lines: Vec<&str> = page.lines().filter(|line| !line.contains("_bucket")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE http_requests_total counter",
                "http_requests_total{code=\"200\"} 2",
                "http_requests_total{code=\"500\"} 1",
                "# TYPE http_request_duration_seconds histogram",
                "http_request_duration_seconds_sum{code=\"200\"} 60.02",
                "http_request_duration_seconds_count{code=\"200\"} 2",
                "http_request_duration_seconds_sum{code=\"500\"} 0",
                "http_request_duration_seconds_count{code=\"500\"} 1",
            ]
        );
        assert!(page.contains("_bucket{code=\"200\",le=\"0.01\"} 0\n"), "{page}");
        assert!(page.contains("_bucket{code=\"200\",le=\"0.025\"} 1\n"), "{page}");
        assert!(page.contains("_bucket{code=\"200\",le=\"+Inf\"} 2\n"), "{page}");
    }
}
