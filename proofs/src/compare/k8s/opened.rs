//! Watches by the server's own log, which has an entry when one begins and one when it ends.

use std::collections::BTreeMap;

use chrono::DateTime;
use hotfix_benches::Failure;
use hotfix_core::model::Timestamp;
use hotfix_testkit::cluster::AuditEvent;

/// How many watches were open at that time.
pub(super) fn open(log: &[AuditEvent], at: Timestamp) -> Result<usize, Failure> {
    let mut watches = BTreeMap::<&str, bool>::new();
    for event in log.iter().filter(|event| event.verb == "watch") {
        let began = time(event, "requestReceivedTimestamp")? <= at;
        let ended = event.raw["stage"] == "ResponseComplete" && time(event, "stageTimestamp")? <= at;
        let is_open = watches.entry(event.raw["auditID"].as_str().unwrap_or_default()).or_insert(true);
        *is_open &= began && !ended;
    }
    Ok(watches.into_values().filter(|is_open| *is_open).count())
}

/// A time of an entry.
pub(super) fn time(event: &AuditEvent, field: &str) -> Result<Timestamp, Failure> {
    let text = event.raw[field].as_str().unwrap_or_default();
    Ok(DateTime::parse_from_rfc3339(text)?.to_utc())
}
