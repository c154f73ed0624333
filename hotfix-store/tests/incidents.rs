//! Incidents: one open per issue, a timeline that only grows; releases proven healthy.

use hotfix_core::ErrorKind;
use hotfix_core::model::{
    Artifact, ImageReference, Incident, IncidentStatus, IssueKey, Period, Release, Severity, TagName,
    TimelineEvent, TimelineKind, Version,
};
use hotfix_core::port::{Clock, IncidentStore, KnownGood, Opened};

use crate::fixture::{HandClock, Place, claim, end, entry, incident, new_run, run, write};

pub(crate) fn event(of: &str, text: &str, status: Option<IncidentStatus>) -> TimelineEvent {
    TimelineEvent {
        at: HandClock::new().now(),
        run: run(of),
        kind: TimelineKind::Progress,
        text: text.to_owned(),
        status,
    }
}

#[tokio::test]
async fn runs_for_one_issue_join_its_open_incident() {
    let place = Place::new();
    let store = place.open().await;
    let opened_at = place.clock.now();
    let first = claim(&store, new_run("run-1", &["production/a"])).await;
    place.clock.advance(Period::from_secs(60));
    let second = store.open_run(new_run("run-2", &["production/b"])).await.unwrap();
    assert!(matches!(second, Opened::Claimed { incident: joined, .. } if joined == incident("inc-of-run-1")));
    assert_eq!(
        store.incident(&incident("inc-of-run-1")).await.unwrap(),
        Incident {
            id: incident("inc-of-run-1"),
            issue: IssueKey::new("PROD-1").unwrap(),
            title: "checkout fails".to_owned(),
            severity: Severity::P1,
            status: IncidentStatus::Declared,
            opened_at,
        }
    );
    let mut resolve = entry(&first, 1, "resolved");
    resolve.timeline = vec![event("run-1", "over", Some(IncidentStatus::Resolved))];
    write(&store, resolve).await;
    let third = store.open_run(new_run("run-3", &["production/c"])).await.unwrap();
    assert!(matches!(third, Opened::Claimed { incident: fresh, .. } if fresh == incident("inc-of-run-3")));
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
async fn the_timeline_keeps_the_order_of_writing_across_runs() {
    let place = Place::new();
    let store = place.open().await;
    let mut opening = new_run("run-1", &["production/a"]);
    opening.timeline = vec![
        event("run-1", "1", Some(IncidentStatus::Mitigating)),
        event("run-1", "2", None),
    ];
    let first = claim(&store, opening).await;
    let mut joining = new_run("run-2", &["production/b"]);
    joining.timeline = vec![event("run-2", "3", None)];
    claim(&store, joining).await;
    let mut append = entry(&first, 1, "x");
    append.timeline = vec![event("run-1", "4", Some(IncidentStatus::Mitigated))];
    write(&store, append).await;
    let id = incident("inc-of-run-1");
    let timeline = store.timeline(&id).await.unwrap();
    let texts: Vec<_> = timeline.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(texts, ["1", "2", "3", "4"]);
    assert_eq!(timeline[2], event("run-2", "3", None));
    assert_eq!(
        store.incident(&id).await.unwrap().status,
        IncidentStatus::Mitigated
    );
}

#[tokio::test]
async fn an_unknown_incident_is_not_found() {
    let place = Place::new();
    let store = place.open().await;
    let ghost = incident("ghost");
    let kinds = [
        store.incident(&ghost).await.unwrap_err().kind(),
        store.timeline(&ghost).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 2]);
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
async fn the_last_release_proven_healthy_is_kept_per_target() {
    let place = Place::new();
    let store = place.open().await;
    let good = |version: Version| KnownGood {
        target: "production/a".parse().unwrap(),
        release: Release {
            tag: TagName::new(format!("v{version}")).unwrap(),
            version,
            artifact: Artifact::Image(
                ImageReference::new(&format!("shop@sha256:{}", "a".repeat(64))).unwrap(),
            ),
        },
        at: place.clock.now(),
    };
    let target = "production/a".parse().unwrap();
    assert_eq!(store.last_known_good(&target).await.unwrap(), None);
    let lease = claim(&store, new_run("run-1", &["production/a"])).await;
    for (seq, patch) in [(1, 7), (2, 8)] {
        let mut append = entry(&lease, seq, "proven");
        append.known_good = vec![good(Version::new(2, 1, patch))];
        write(&store, append).await;
    }
    end(&store, &lease, 3).await;
    let found = store.last_known_good(&target).await.unwrap();
    assert_eq!(found, Some(good(Version::new(2, 1, 8))));
    assert_eq!(
        store
            .last_known_good(&"production/b".parse().unwrap())
            .await
            .unwrap(),
        None
    );
}
