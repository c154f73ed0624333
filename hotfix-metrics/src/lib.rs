#![doc = include_str!("../README.md")]

mod prometheus;
mod promql;
mod traffic;

pub use prometheus::{
    Answer, Bucket, Histogram, Prometheus, PrometheusConfig, Quantile, Refusal, Sample, Series,
    TrafficReport, Unreadable,
};
pub use promql::TemplateError;
pub use traffic::{Convention, LabelConfig, LabelsConfig, QueriesConfig, TrafficConfig, Unit};
