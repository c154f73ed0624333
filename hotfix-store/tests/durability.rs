//! Real processes, killed with SIGKILL in the middle of writing: nothing acknowledged is lost, nothing is there twice.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hotfix_core::memory::ManualClock;
use hotfix_core::model::TimelineKind;
use hotfix_core::port::{IncidentStore, Lease, Opened, PostingKind, RunFilter, TakenOver};
use hotfix_store::SqliteStore;

use crate::fixture::{Place, TTL, claim, entry, incident, new_run, posting, run, worker, write};

const KILLS: usize = 20;
const RUNS: usize = 8;
const DATABASE: &str = "HOTFIX_STORE_TEST_DATABASE";
const MARK: &str = "::";

/// This test binary again, as another process that runs one of the ignored tests below. Killed when dropped.
struct Other(Child);

impl Other {
    #[expect(clippy::disallowed_methods, reason = "the one place of these tests that starts a process")]
    fn start(role: &str, database: &Path, name: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("durability::{role}"), "--ignored", "--nocapture"])
            .env(DATABASE, format!("{}{MARK}{name}", database.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    /// Reads the lines it reports until `enough`, kills it, and returns these and those still in the pipe.
    fn kill_after(&mut self, enough: usize) -> Vec<String> {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let mut reports = Vec::new();
        for line in lines.map_while(Result::ok) {
            if let Some(report) = line.strip_prefix(MARK) {
                reports.push(report.to_owned());
            }
            if reports.len() == enough {
                self.0.kill().unwrap();
            }
        }
        reports
    }

    fn reports(&mut self) -> Vec<String> {
        let reports = self.kill_after(usize::MAX);
        assert!(self.0.wait().unwrap().success());
        reports
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// In the other process: the database it was given and its name.
#[expect(clippy::disallowed_methods, reason = "the way a parent process tells its child what to do")]
fn orders() -> (PathBuf, String) {
    let orders = std::env::var(DATABASE).unwrap();
    let (path, name) = orders.rsplit_once(MARK).unwrap();
    (path.into(), name.to_owned())
}

/// One line in one write, so that a kill cannot cut it.
fn report(text: &str) {
    let mut out = std::io::stdout();
    out.write_all(format!("{MARK}{text}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn twenty_killed_writers_lose_nothing_acknowledged_and_write_nothing_twice() {
    let place = Place::new();
    let store = place.open().await;
    for n in 0..RUNS {
        claim(&store, new_run(&format!("run-{n}"), &[&format!("production/s{n}")])).await;
    }
    store.close().await;
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        let mut writer = Other::start("writes_until_killed", &place.path(), &format!("life-{kill}"));
        acknowledged.extend(writer.kill_after(1 + kill * 13));
        drop(writer);
        audit(&place, &acknowledged).await;
    }
    assert!(acknowledged.len() > KILLS * KILLS);
}

/// Compares what was acknowledged with what is there: journal, timeline and outbox tell the same.
async fn audit(place: &Place, acknowledged: &BTreeSet<String>) {
    let store = place.open().await;
    let mut written = Vec::new();
    for n in 0..RUNS {
        let journal = store.journal(&run(&format!("run-{n}")), 1).await.unwrap();
        written.extend(journal.into_iter().map(|entry| entry.body));
    }
    let distinct: BTreeSet<String> = written.iter().cloned().collect();
    assert_eq!(distinct.len(), written.len(), "nothing is there twice");
    let lost: Vec<_> = acknowledged.difference(&distinct).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let timeline = store.timeline(&incident("inc-of-run-0")).await.unwrap();
    let told: BTreeSet<String> = timeline.iter().map(|event| event.text.clone()).collect();
    assert_eq!((timeline.len(), &told), (written.len(), &distinct));
    let outbox = store.undelivered().await.unwrap();
    let posted: BTreeSet<String> = outbox.into_iter().map(|item| item.posting.dedup).collect();
    assert_eq!(posted, distinct);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a role that another test starts in a process of its own"]
async fn writes_until_killed() {
    let (path, life) = orders();
    let store = Arc::new(SqliteStore::open(path, Arc::new(ManualClock::default())).await.unwrap());
    let lives = (0..RUNS).map(|n| tokio::spawn(write_for_ever(Arc::clone(&store), n, life.clone())));
    futures_util::future::join_all(lives).await;
}

async fn write_for_ever(store: Arc<SqliteStore>, n: usize, life: String) {
    let id = run(&format!("run-{n}"));
    let TakenOver::Owned(lease) = store.take_over(&id, &worker("w1"), TTL, 0).await.unwrap() else {
        panic!("held by the same worker");
    };
    let first = store.runs(RunFilter::Open).await.unwrap()[n].entries;
    for seq in first.. {
        let body = format!("{life} run-{n} {seq}");
        let mut append = entry(&lease, seq, &body);
        let mut event = crate::incidents::event("run-0", &body, None);
        event.kind = TimelineKind::Progress;
        append.timeline = vec![event];
        let reply = posting(&body, "run-0", PostingKind::Reply);
        append.postings = vec![("slack".to_owned(), reply)];
        write(&store, append).await;
        report(&body);
    }
}

#[tokio::test]
async fn of_two_processes_one_wins_each_claim() {
    let place = Place::new();
    place.open().await.close().await;
    let others = ["a", "b"].map(|name| Other::start("claims_everything", &place.path(), name));
    let [a, b] = others.map(|mut other| BTreeSet::from_iter(other.reports()));
    let both: BTreeSet<_> = a.union(&b).cloned().collect();
    let every: BTreeSet<_> = (0..TARGETS).map(|n| format!("production/s{n}")).collect();
    assert_eq!(both, every, "each target was claimed");
    assert_eq!(a.intersection(&b).count(), 0, "by one of them");
}

const TARGETS: usize = 100;

#[tokio::test]
#[ignore = "a role that another test starts in a process of its own"]
async fn claims_everything() {
    let (path, name) = orders();
    let store = SqliteStore::open(path, Arc::new(ManualClock::default())).await.unwrap();
    for n in 0..TARGETS {
        let target = format!("production/s{n}");
        match store.open_run(new_run(&format!("run-{name}-{n}"), &[&target])).await.unwrap() {
            Opened::Claimed { lease: Lease { .. }, .. } => report(&target),
            Opened::Busy(claim) => assert_eq!(claim.target.to_string(), target),
        }
    }
}
