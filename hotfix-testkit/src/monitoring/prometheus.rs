//! The real Prometheus.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::discovered::{self, Discovered};
use super::installed::{address, find};
use crate::program::Program;

/// A running Prometheus. Dropping it ends it and removes everything it stored.
#[derive(Debug)]
pub struct RealPrometheus {
    program: Program,
    address: SocketAddr,
}

/// What a [`RealPrometheus`] does.
#[derive(Debug, Clone)]
pub struct PrometheusOptions {
    /// How often it scrapes; also the longest that a scrape may take.
    pub interval: Duration,
    /// What it scrapes.
    pub targets: Vec<ScrapeTarget>,
    /// What becomes of the labels of what it scrapes, as `relabel_configs`.
    pub relabel: Vec<serde_json::Value>,
    /// Rule files, as YAML.
    pub rules: Vec<String>,
    /// Whether it takes in native histograms, which it then asks targets for in the protobuf format.
    pub native_histograms: bool,
}

impl Default for PrometheusOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(200),
            targets: Vec::new(),
            relabel: Vec::new(),
            rules: Vec::new(),
            native_histograms: false,
        }
    }
}

/// A page of metrics to scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeTarget {
    /// Where it is served.
    pub address: SocketAddr,
    /// Its path, such as `/metrics`.
    pub path: String,
    /// Labels that each of its series gets.
    pub labels: BTreeMap<String, String>,
}

impl ScrapeTarget {
    pub(super) fn group(&self) -> serde_json::Value {
        let mut labels = self.labels.clone();
        labels.insert("__metrics_path__".to_owned(), self.path.clone());
        serde_json::json!({"targets": [self.address.to_string()], "labels": labels})
    }
}

impl RealPrometheus {
    /// Starts one. It takes about five seconds until the first scrape, because Prometheus waits for that long until it
    /// believes what its targets are.
    ///
    /// # Errors
    /// When the program is not there, or does not start.
    pub async fn start(options: &PrometheusOptions) -> io::Result<Self> {
        let program = Program::start(
            find(&["prometheus"])?,
            |folder| {
                for (number, rules) in options.rules.iter().enumerate() {
                    std::fs::write(folder.join(format!("rules-{number}.yml")), rules)?;
                }
                std::fs::write(folder.join("prometheus.yml"), configuration(options).to_string())
            },
            |folder| {
                let at = |name: &str| folder.join(name).display().to_string();
                let mut arguments = vec![
                    format!("--config.file={}", at("prometheus.yml")),
                    format!("--storage.tsdb.path={}", at("data")),
                    "--web.listen-address=127.0.0.1:0".to_owned(),
                    "--scrape.discovery-reload-interval=100ms".to_owned(),
                ];
                if options.native_histograms {
                    arguments.push("--enable-feature=native-histograms".to_owned());
                }
                arguments
            },
        )?;
        let address = address(&program).await?;
        Ok(Self { program, address })
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns a way to tell it of targets that come and go. Those under another name, of letters, digits and hyphens, are
    /// others.
    #[must_use]
    pub fn discovered(&self, name: &str) -> Discovered {
        Discovered::of(self.program.folder(), name)
    }

    /// Returns its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// Returns the folder of its data.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.program.folder()
    }
}

/// Writes the configuration as JSON, which YAML takes.
fn configuration(options: &PrometheusOptions) -> serde_json::Value {
    let interval = format!("{}ms", options.interval.as_millis());
    let targets: Vec<_> = options.targets.iter().map(ScrapeTarget::group).collect();
    let discovered = serde_json::json!([{"files": [discovered::FILES], "refresh_interval": "1s"}]);
    serde_json::json!({
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": ["rules-*.yml"],
        "scrape_configs": [{
            "job_name": "test",
            "honor_labels": true,
            "static_configs": targets,
            "file_sd_configs": discovered,
            "relabel_configs": options.relabel,
        }],
    })
}
