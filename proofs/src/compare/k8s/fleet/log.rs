//! What the process asked of the server, by the server's own log.

use hotfix_benches::Failure;
use hotfix_testkit::cluster::{AuditEvent, TestCluster, TestNamespace};

use super::super::opened::{open, time};
use super::hold::Told;

/// Requests, and watches.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Requests from the first plan until all runs waited, watches left out.
    pub(super) starting: usize,
    /// Requests in a minute of rest, a watch that is opened anew included.
    pub(super) per_minute: f64,
    /// Watches that were open at the end of the rest.
    pub(super) open: usize,
}

/// Reads the log of all namespaces.
pub(super) fn read(
    cluster: &TestCluster,
    namespaces: &[TestNamespace],
    user: &str,
    told: &Told,
) -> Result<Asked, Failure> {
    let (mut asked, mut at_rest) = (Asked::default(), 0);
    let [from, to] = told.rest;
    for namespace in namespaces {
        let mut log = cluster.audit_log_of(namespace)?;
        log.retain(|event| event.user == user);
        for event in log.iter().filter(|event| is_first(event)) {
            let at = time(event, "requestReceivedTimestamp")?;
            asked.starting += usize::from(event.verb != "watch" && (told.began..told.waiting).contains(&at));
            at_rest += usize::from((from..to).contains(&at));
        }
        asked.open += open(&log, to)?;
    }
    asked.per_minute = at_rest as f64 * 60.0 / (to - from).as_seconds_f64();
    Ok(asked)
}

/// The beginning and the end of a watch are two entries of one request.
fn is_first(event: &AuditEvent) -> bool {
    event.verb != "watch" || event.raw["stage"] == "ResponseStarted"
}
