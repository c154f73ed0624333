//! `/metrics` in the Prometheus text format, version 0.0.4.

use std::fmt::{Display, Write};
use std::sync::Arc;

use super::board::Board;
use super::series::Series;
use crate::proxy::{BUCKETS, CountersView};

/// Writes the page for all targets.
pub(super) fn page(targets: &[Arc<Board>]) -> String {
    let mut page = Page::default();
    let series: Vec<(String, CountersView, usize)> = targets
        .iter()
        .flat_map(|board| board.series.all().iter().map(|series| reading(board, series)).collect::<Vec<_>>())
        .collect();
    page.family("hotfix_requests_total", "counter", "Requests that were answered or failed.");
    for (labels, counters, _) in &series {
        page.sample("hotfix_requests_total", labels, counters.requests);
    }
    page.family(
        "hotfix_errors_total",
        "counter",
        "Requests that were answered with a status of 500 or above, or not as a whole.",
    );
    for (labels, counters, _) in &series {
        page.sample("hotfix_errors_total", labels, counters.errors);
    }
    page.family("hotfix_requests_in_flight", "gauge", "Requests that are being worked on.");
    for (labels, _, in_flight) in &series {
        page.sample("hotfix_requests_in_flight", labels, in_flight);
    }
    page.family(
        "hotfix_request_duration_seconds",
        "histogram",
        "Time from a request's head to the end of its answer.",
    );
    for (labels, counters, _) in &series {
        page.histogram("hotfix_request_duration_seconds", labels, counters);
    }
    slots(&mut page, targets);
    page.text
}

fn reading(board: &Board, series: &Series) -> (String, CountersView, usize) {
    let mut labels = slot_labels(board, series.slot.as_str());
    labels.push_str(&label("version", &series.version));
    labels.push_str(&label("series", &series.name));
    (labels, series.view(), series.in_flight())
}

fn slots(page: &mut Page, targets: &[Arc<Board>]) {
    let reports: Vec<_> = targets.iter().map(|board| (board, board.report())).collect();
    page.family("hotfix_slot_weight_percent", "gauge", "Share of the traffic in effect.");
    for (board, report) in &reports {
        for (slot, percent) in &report.weights {
            page.sample("hotfix_slot_weight_percent", &slot_labels(board, slot.as_str()), percent);
        }
    }
    page.family("hotfix_slot_wanted_instances", "gauge", "Instances the slot should have.");
    for (board, report) in &reports {
        for (slot, state) in &report.slots {
            page.sample("hotfix_slot_wanted_instances", &slot_labels(board, slot.as_str()), state.replicas);
        }
    }
    page.family("hotfix_slot_ready_instances", "gauge", "Instances that can take traffic.");
    for (board, report) in &reports {
        for (slot, state) in &report.slots {
            page.sample("hotfix_slot_ready_instances", &slot_labels(board, slot.as_str()), state.ready);
        }
    }
}

fn slot_labels(board: &Board, slot: &str) -> String {
    let target = &board.target;
    [label("environment", &target.environment), label("service", &target.service), label("slot", slot)]
        .concat()
}

/// `name="value",` with the value escaped as the format asks.
fn label<T: Display + ?Sized>(name: &str, value: &T) -> String {
    let value = value.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\",")
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// `labels` end with a comma each, which the format allows before the closing bracket.
    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        self.write(format_args!("{name}{{{labels}}} {value}\n"));
    }

    fn histogram(&mut self, name: &str, labels: &str, counters: &CountersView) {
        let bounds = BUCKETS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        let mut below = 0;
        for (bound, count) in bounds.zip(&counters.latency) {
            below += count;
            self.write(format_args!("{name}_bucket{{{labels}le=\"{bound}\"}} {below}\n"));
        }
        let seconds = counters.latency_micros as f64 / 1e6;
        self.sample(&format!("{name}_sum"), labels, seconds);
        self.sample(&format!("{name}_count"), labels, below);
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        assert_eq!(label("a", "x\\y\"z\n"), "a=\"x\\\\y\\\"z\\n\",");
    }

    #[test]
    fn buckets_are_cumulated() {
        let mut page = Page::default();
        let mut latency = vec![0; BUCKETS.len() + 1];
        (latency[0], latency[2], latency[BUCKETS.len()]) = (3, 2, 1);
        let counters = CountersView { requests: 6, errors: 0, latency, latency_micros: 1_500_000 };
        page.histogram("h", "a=\"b\",", &counters);
        let lines: Vec<&str> = page.text.lines().collect();
        assert_eq!(lines[0], "h_bucket{a=\"b\",le=\"0.001\"} 3");
        assert_eq!(lines[2], "h_bucket{a=\"b\",le=\"0.005\"} 5");
        assert_eq!(lines[13], "h_bucket{a=\"b\",le=\"30\"} 5");
        assert_eq!(lines[14], "h_bucket{a=\"b\",le=\"+Inf\"} 6");
        assert_eq!(lines[15..], ["h_sum{a=\"b\",} 1.5", "h_count{a=\"b\",} 6"]);
    }
}
