//! What the contract leaves open about incidents; the history of releases proven healthy.

use hotfix_core::memory::ManualClock;
use hotfix_core::model::{
    Artifact, ImageReference, IncidentStatus, IssueKey, Release, TimelineEvent, TimelineKind, Timestamp,
    Version,
};
use hotfix_core::port::{Basis, Clock, IncidentStore, KnownGood};

use crate::fixture::{Place, claim, entry, incident, new_run, run, write};

pub(crate) fn event(of: &str, text: &str, status: Option<IncidentStatus>) -> TimelineEvent {
    TimelineEvent {
        at: ManualClock::default().now(),
        run: run(of),
        kind: TimelineKind::Progress,
        text: text.to_owned(),
        status,
    }
}

#[tokio::test]
async fn a_resolved_incident_stays_so_beside_the_one_opened_since() {
    let place = Place::new();
    let store = place.open().await;
    let first = claim(&store, new_run("run-1", &["production/a"])).await;
    let mut resolve = entry(&first, 1, "resolved");
    resolve.timeline = vec![event("run-1", "over", Some(IncidentStatus::Resolved))];
    write(&store, resolve).await;
    claim(&store, new_run("run-2", &["production/b"])).await;
    let mut again = entry(&first, 2, "mitigated");
    again.timeline = vec![event("run-1", "again", Some(IncidentStatus::Mitigated))];
    write(&store, again).await;
    let status = store.incident(&incident("inc-of-run-1")).await.unwrap().status;
    assert_eq!(status, IncidentStatus::Resolved);
}

#[tokio::test]
async fn an_incident_id_is_used_once_and_the_refused_run_leaves_nothing() {
    let place = Place::new();
    let store = place.open().await;
    claim(&store, new_run("run-1", &["production/a"])).await;
    let mut other = new_run("run-2", &["production/b"]);
    other.incident.id = incident("inc-of-run-1");
    other.incident.issue = IssueKey::new("PROD-2").unwrap();
    let error = store.open_run(other).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "store.open_run: already exists: an incident of this id was opened before: make a fresh id \
         (incident=inc-of-run-1)"
    );
    claim(&store, new_run("run-2", &["production/b"])).await;
}

#[tokio::test]
async fn proofs_are_kept_per_target_the_last_first_and_each_artifact_once() {
    let place = Place::new();
    let store = place.open().await;
    let good = |patch: u64, proof: i64| KnownGood {
        target: "production/a".parse().unwrap(),
        release: Release {
            version: Version::new(2, 1, patch),
            tag: format!("v2.1.{patch}").parse().unwrap(),
            artifact: Artifact::Image(
                ImageReference::new(&format!("shop@sha256:{}", patch.to_string().repeat(64))).unwrap(),
            ),
        },
        at: Timestamp::from_timestamp(proof, 0).unwrap(),
        basis: if patch == 9 { Basis::Served } else { Basis::Proven },
    };
    let lease = claim(&store, new_run("run-1", &["production/a"])).await;
    for (proof, patch) in [7, 8, 9, 7].into_iter().enumerate() {
        let mut append = entry(&lease, proof as u64 + 1, "proven");
        append.known_good = vec![good(patch, i64::try_from(proof).unwrap())];
        write(&store, append).await;
    }
    store.close().await;
    let store = place.open().await;
    let target = "production/a".parse().unwrap();
    let history = [good(7, 3), good(9, 2), good(8, 1)];
    assert_eq!(store.known_good(&target, 10).await.unwrap(), history);
    assert_eq!(store.known_good(&target, 2).await.unwrap(), history[..2]);
    assert_eq!(store.known_good(&"production/b".parse().unwrap(), 10).await.unwrap(), []);
}
