//! `MetricsSource` on the HTTP API of Prometheus.

mod answer;
mod api;
mod backend;
mod config;
mod failure;
mod flight;
mod report;

pub use answer::{Answer, Bucket, Histogram, Refusal, Sample, Series, Unreadable};
pub use backend::Prometheus;
pub use config::PrometheusConfig;
pub(crate) use failure::Failure;
pub use report::{Quantile, TrafficReport};
