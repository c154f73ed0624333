//! Observing: performs the readings that the pure stage asks for until nothing is missing.

use hotfix_core::judge::calibrate;
use hotfix_core::model::Timestamp;
use hotfix_core::observe::{Reading, Snapshot, readings};
use hotfix_core::policy::Policy;
use hotfix_core::port::RunFilter;
use hotfix_core::request::Request;

use crate::backends::Backends;

/// Reads everything that a plan for the request is made of. What cannot be read is a gap in the snapshot.
pub(crate) async fn observe(ports: &Backends, request: &Request, policy: &Policy) -> Snapshot {
    let mut snapshot = Snapshot::new(to_seconds(ports.clock.now()), ports.source.capabilities());
    loop {
        let missing = readings(request, policy, &snapshot);
        if missing.is_empty() {
            return snapshot;
        }
        for reading in missing {
            tracing::debug!(?reading, "observing");
            read(ports, reading, &mut snapshot).await;
        }
    }
}

async fn read(ports: &Backends, reading: Reading, snapshot: &mut Snapshot) {
    let now = || ports.clock.now();
    match reading {
        Reading::Source(query) => {
            let answer = ports.source.observe(&query).await;
            snapshot.record_source(answer, now());
        }
        Reading::Compose(recipe) => {
            let answer = ports.source.compose(&recipe).await;
            snapshot.record_composition(recipe, answer, now());
        }
        Reading::Workload(target) => {
            let answer = ports.deployer.observe(&target).await;
            snapshot.record_workload(&target, ports.deployer.capabilities(&target), answer, now());
        }
        Reading::Snapshot(target) => {
            let answer = ports.deployer.snapshot(&target).await;
            snapshot.record_snapshot(&target, answer, now());
        }
        Reading::KnownGood { target, limit } => {
            let answer = ports.store.known_good(&target, limit).await;
            snapshot.record_known_good(&target, answer, now());
        }
        Reading::Calibration(query) => {
            let answer = ports.metrics.history(&query).await;
            snapshot.record_calibration(answer.map(|history| calibrate(&history)), now());
        }
        Reading::Runs => {
            let answer = ports.store.runs(RunFilter::Open).await;
            snapshot.record_runs(answer, now());
        }
    }
}

/// Commits carry whole seconds; a plan that shows the same ids as the repository must too.
fn to_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}
