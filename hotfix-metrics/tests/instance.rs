//! An instance of a service as its page of metrics shows it.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The bounds of the histogram, in seconds.
const BOUNDS: [&str; 5] = ["0.005", "0.05", "0.1", "0.25", "1"];

/// What one instance counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Instance {
    pub(crate) slot: String,
    /// How many requests ended with each status.
    codes: BTreeMap<u16, u64>,
    /// How many took longer than each bound.
    slower: [u64; BOUNDS.len()],
    count: u64,
    /// What it says instead of its count of good requests.
    lie: Option<&'static str>,
    silent: bool,
}

impl Instance {
    pub(crate) fn new(slot: &str) -> Self {
        Self { slot: slot.to_owned(), ..Self::default() }
    }

    pub(crate) fn serve(&mut self, code: u16, requests: u32, seconds: f64) {
        let requests = u64::from(requests);
        *self.codes.entry(code).or_default() += requests;
        self.count += requests;
        for (slower, bound) in self.slower.iter_mut().zip(BOUNDS) {
            if seconds > bound.parse().unwrap() {
                *slower += requests;
            }
        }
    }

    pub(crate) fn total(&self) -> f64 {
        self.count as f64
    }

    /// Begins anew, as a process does.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(&self.slot);
    }

    pub(crate) fn lie(&mut self, value: &'static str) {
        self.lie = Some(value);
    }

    /// Shows nothing more.
    pub(crate) fn stop(&mut self) {
        self.silent = true;
    }

    pub(crate) fn page(&self, service: &str, name: &str) -> String {
        let mut page = String::new();
        if self.silent {
            return page;
        }
        let labels =
            format!("namespace=\"production\",app=\"{service}\",slot=\"{}\",pod=\"{name}\"", self.slot);
        for (code, count) in &self.codes {
            let value = match self.lie {
                Some(lie) if *code < 500 => lie.to_owned(),
                _ => count.to_string(),
            };
            writeln!(page, "http_requests_total{{{labels},code=\"{code}\"}} {value}").unwrap();
        }
        if self.count > 0 {
            let buckets = BOUNDS.iter().zip(self.slower).map(|(bound, slower)| (*bound, self.count - slower));
            for (bound, below) in buckets.chain([("+Inf", self.count)]) {
                writeln!(page, "http_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {below}")
                    .unwrap();
            }
        }
        page
    }
}
