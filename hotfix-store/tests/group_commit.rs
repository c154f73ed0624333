//! Group commit: what waits together is committed together, and one refusal spoils nothing.

use std::fs;
use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::join_all;
use hotfix_core::model::Period;
use hotfix_core::port::{Append, Appended, IncidentStore, Lease};
use hotfix_core::{ErrorKind, Result};
use hotfix_store::{SqliteOptions, SqliteStore};

use crate::fixture::{Place, bodies, claim, entry, new_run, run};

/// Counts the transactions in a write-ahead log: frames that carry the size of the database after a commit.
fn commits(log: &Path) -> usize {
    let bytes = fs::read(log).unwrap();
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let (page_size, salts) = (word(8) as usize, [word(16), word(20)]);
    let frames = (32..bytes.len().saturating_sub(24)).step_by(24 + page_size);
    frames.take_while(|at| [word(at + 8), word(at + 12)] == salts).filter(|at| word(at + 4) != 0).count()
}

async fn runs(store: &SqliteStore, count: usize) -> Vec<Lease> {
    let mut leases = Vec::new();
    for n in 0..count {
        leases.push(claim(store, new_run(&format!("run-{n}"), &[&format!("production/s{n}")])).await);
    }
    leases
}

/// Sends all appends while a stranger holds the write lock, so that they all wait, then lets them go.
async fn together(place: &Place, store: &SqliteStore, appends: Vec<Append>) -> Vec<Result<Appended>> {
    let stranger = place.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut answers = Box::pin(join_all(appends.into_iter().map(|append| store.append(append))));
    // One poll sends every request; none can be answered yet.
    assert!((&mut answers).now_or_never().is_none());
    stranger.execute_batch("ROLLBACK").unwrap();
    answers.await
}

#[tokio::test]
async fn sixty_four_waiting_appends_are_one_transaction() {
    let place = Place::new();
    let store = place.open().await;
    let leases = runs(&store, 64).await;
    let before = commits(&place.file("hotfix.db-wal"));
    let appends = leases.iter().map(|lease| entry(lease, 1, "x")).collect();
    for answer in together(&place, &store, appends).await {
        assert_eq!(answer.unwrap(), Appended::Written);
    }
    assert_eq!(commits(&place.file("hotfix.db-wal")) - before, 1);
    for lease in &leases {
        assert_eq!(store.journal(&lease.run, 1).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn one_refusal_does_not_undo_the_others() {
    let place = Place::new();
    let store = place.open().await;
    let leases = runs(&store, 4).await;
    // The entry of this one is written before its incident is found to be unreadable.
    place
        .stranger()
        .execute_batch("PRAGMA foreign_keys = OFF; UPDATE run SET incident = 'no id' WHERE id = 'run-3'")
        .unwrap();
    let ghost = Lease { run: run("ghost"), ..leases[0].clone() };
    let mut companions = entry(&leases[2], 1, "with a timeline");
    companions.timeline = vec![crate::incidents::event("run-2", "deployed", None)];
    let mut halfway = entry(&leases[3], 1, "half done");
    halfway.timeline = companions.timeline.clone();
    let appends = vec![
        entry(&leases[0], 1, "a"),
        entry(&leases[1], 7, "gap"),
        entry(&ghost, 1, "unknown"),
        halfway,
        companions,
        entry(&leases[0], 2, "b"),
    ];
    let before = commits(&place.file("hotfix.db-wal"));
    let answers = together(&place, &store, appends).await;
    let outcomes: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.kind())).collect();
    let expected = [
        Ok(Appended::Written),
        Ok(Appended::Lost { epoch: 1 }),
        Err(ErrorKind::NotFound),
        Err(ErrorKind::Corrupt),
        Ok(Appended::Written),
        Ok(Appended::Written),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(commits(&place.file("hotfix.db-wal")) - before, 1);
    assert_eq!(bodies(&store, &run("run-0")).await, ["run-0 planned", "a", "b"]);
    assert_eq!(bodies(&store, &run("run-1")).await, ["run-1 planned"]);
    assert_eq!(bodies(&store, &run("run-2")).await, ["run-2 planned", "with a timeline"]);
    assert_eq!(bodies(&store, &run("run-3")).await, ["run-3 planned"]);
}

#[tokio::test]
async fn an_entry_whose_run_cannot_be_moved_on_is_not_written_and_the_others_are() {
    let place = Place::new();
    let store = place.open().await;
    let leases = runs(&store, 3).await;
    place
        .stranger()
        .execute_batch(
            "CREATE TRIGGER stuck BEFORE UPDATE OF entries ON run WHEN NEW.id = 'run-1'
             BEGIN SELECT RAISE(FAIL, 'stuck'); END",
        )
        .unwrap();
    let appends = leases.iter().map(|lease| entry(lease, 1, "x")).collect();
    let answers = together(&place, &store, appends).await;
    let outcomes: Vec<_> = answers.into_iter().map(|answer| answer.ok()).collect();
    assert_eq!(outcomes, [Some(Appended::Written), None, Some(Appended::Written)]);
    for (lease, entries) in leases.iter().zip([2, 1, 2]) {
        let run = place.stranger().query_row(
            "SELECT count(*), max(entries) FROM journal JOIN run ON run.number = run WHERE id = ?1",
            [lease.run.as_str()],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        );
        assert_eq!(run.unwrap(), (entries, entries), "{}", lease.run);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_keeps_the_rest() {
    let place = Place::new();
    let store =
        place.open_with(SqliteOptions { size_limit: Some(400_000), ..SqliteOptions::default() }).await;
    let leases = runs(&store, 4).await;
    let huge = "x".repeat(1_000_000);
    let mut huge_with_companions = entry(&leases[2], 1, &huge);
    huge_with_companions.timeline = vec![crate::incidents::event("run-2", "too much", None)];
    let appends = vec![
        entry(&leases[0], 1, "a"),
        entry(&leases[1], 1, &huge),
        huge_with_companions,
        entry(&leases[3], 1, "b"),
        entry(&leases[0], 2, "c"),
    ];
    let answers = together(&place, &store, appends).await;
    let outcomes: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.kind())).collect();
    let written = || Ok(Appended::Written);
    assert_eq!(outcomes, [written(), Err(ErrorKind::Full), Err(ErrorKind::Full), written(), written()]);
    store.close().await;
    let store = place.open().await;
    assert_eq!(bodies(&store, &run("run-0")).await, ["run-0 planned", "a", "c"]);
    assert_eq!(bodies(&store, &run("run-2")).await, ["run-2 planned"]);
    assert_eq!(bodies(&store, &run("run-3")).await, ["run-3 planned", "b"]);
    assert_eq!(store.timeline(&crate::fixture::incident("inc-of-run-0")).await.unwrap(), []);
    let retried = store.append(entry(&leases[1], 1, &huge)).await.unwrap();
    assert_eq!(retried, Appended::Written, "there is room now");
}

#[tokio::test]
async fn a_store_locked_for_too_long_answers_all_who_wait() {
    let place = Place::new();
    let busy_wait = Period::from_millis(50);
    let store = place.open_with(SqliteOptions { busy_wait, ..SqliteOptions::default() }).await;
    let leases = runs(&store, 8).await;
    let stranger = place.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answers = join_all(leases.iter().map(|lease| store.append(entry(lease, 1, "x")))).await;
    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.retry(), hotfix_core::RetryClass::Later);
    }
    assert_eq!(store.journal(&leases[0].run, 0).await.unwrap().len(), 1, "reading goes on");
    stranger.execute_batch("ROLLBACK").unwrap();
    let answer = store.append(entry(&leases[0], 1, "x")).await.unwrap();
    assert_eq!(answer, Appended::Written);
}

#[tokio::test]
async fn dropping_the_store_writes_what_was_asked_for() {
    let place = Place::new();
    let store = place.open().await;
    let lease = claim(&store, new_run("run-1", &["production/shop"])).await;
    {
        // Sends the request and goes away, whether or not the answer came in time.
        drop(store.append(entry(&lease, 1, "asked for")).now_or_never());
    }
    store.close().await;
    let store = place.open().await;
    assert_eq!(bodies(&store, &run("run-1")).await, ["run-1 planned", "asked for"]);
}
