//! The real Prometheus and Alertmanager, each in a folder of its own and on a port that the system chose, gone when the
//! test is, however it ends.
//!
//! They are the programs `prometheus` and `prometheus-alertmanager` of Debian's packages of those names; `prometheus`
//! and `alertmanager` as the projects publish them do as well.

mod alertmanager;
mod discovered;
mod installed;
mod prometheus;

pub use alertmanager::RealAlertmanager;
pub use discovered::Discovered;
pub use prometheus::{PrometheusOptions, RealPrometheus, ScrapeTarget};
