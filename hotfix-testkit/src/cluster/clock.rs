//! The time of day, as the API server has it: the one place of this crate that reads it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// Returns the time in whole seconds, as Kubernetes writes it.
pub(super) fn now() -> Time {
    let now = Timestamp::now();
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// Returns the time as exactly as the journal has it.
pub(super) fn exactly() -> hotfix_core::model::Timestamp {
    let micros = Timestamp::now().as_microsecond();
    hotfix_core::model::Timestamp::from_timestamp_micros(micros).unwrap_or_default()
}
