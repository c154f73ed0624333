#![doc = include_str!("../README.md")]

mod alert;
mod probe;
mod prometheus;
mod promql;
mod traffic;

pub use alert::{
    AlertRule, Alerting, Alertmanager, AlertmanagerConfig, AlertsConfig, ReleaseWatch, RuleGroup,
};
pub use probe::{
    Ask, Endpoint, EndpointEvidence, Health, HealthCheck, HealthCheckConfig, HttpAsk, Instances, Probe,
    ProbeConfig, ProbeEvidence, ProbeFailure, ProbeFailureKind, Redirects, Resolver, SystemResolver,
};
pub use prometheus::{
    Answer, Bucket, Histogram, Prometheus, PrometheusConfig, Quantile, Refusal, Sample, Series,
    TrafficReport, Unreadable,
};
pub use promql::TemplateError;
pub use traffic::{Convention, LabelConfig, LabelsConfig, QueriesConfig, TrafficConfig, Unit};
