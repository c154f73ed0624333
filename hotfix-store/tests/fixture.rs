//! A store in a temporary directory, a clock that tests turn, and short ways to build requests.

use std::path::PathBuf;
use std::sync::Arc;

use hotfix_core::memory::ManualClock;
use hotfix_core::model::{
    Fenced, IncidentId, IssueKey, Message, Part, Period, Phase, RunId, Severity, Tone, WorkerName,
};
use hotfix_core::port::{
    Append, Appended, IncidentStore, Lease, NewIncident, NewRun, Opened, Posting, PostingKind, RunState,
    ThreadKey,
};
use hotfix_store::{SqliteOptions, SqliteStore};
use rusqlite::Connection;

pub(crate) const TTL: Period = Period::from_secs(15);

/// A directory with one database, removed at the end.
pub(crate) struct Place {
    pub(crate) clock: ManualClock,
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { clock: ManualClock::default(), directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.file("hotfix.db")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) async fn open(&self) -> SqliteStore {
        self.open_with(SqliteOptions::default()).await
    }

    pub(crate) async fn open_with(&self, options: SqliteOptions) -> SqliteStore {
        let clock = Arc::new(self.clock.clone());
        SqliteStore::open_with(self.path(), clock, options).await.unwrap()
    }

    /// A connection of a stranger, for looking and for damage.
    pub(crate) fn stranger(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

pub(crate) fn run(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

pub(crate) fn worker(name: &str) -> WorkerName {
    WorkerName::new(name).unwrap()
}

pub(crate) fn fenced(name: &str) -> Fenced {
    name.parse().unwrap()
}

pub(crate) fn incident(name: &str) -> IncidentId {
    IncidentId::new(name).unwrap()
}

/// A run of worker `w1` that claims the targets, for issue `PROD-1`.
pub(crate) fn new_run(name: &str, targets: &[&str]) -> NewRun {
    NewRun {
        run: run(name),
        worker: worker("w1"),
        claims: targets.iter().map(|target| fenced(target)).collect(),
        ttl: TTL,
        epoch_above: 0,
        incident: NewIncident {
            id: incident(&format!("inc-of-{name}")),
            issue: IssueKey::new("PROD-1").unwrap(),
            title: "checkout fails".to_owned(),
            severity: Severity::P1,
        },
        body: format!("{name} planned"),
        timeline: Vec::new(),
        postings: Vec::new(),
    }
}

/// An append with nothing but a body.
pub(crate) fn entry(lease: &Lease, seq: u64, body: &str) -> Append {
    Append {
        run: lease.run.clone(),
        epoch: lease.epoch,
        seq,
        body: body.to_owned(),
        state: RunState::Active,
        timeline: Vec::new(),
        postings: Vec::new(),
        known_good: Vec::new(),
    }
}

/// Opens a run that must not be refused.
pub(crate) async fn claim(store: &SqliteStore, new: NewRun) -> Lease {
    match store.open_run(new).await.unwrap() {
        Opened::Claimed { lease, .. } => lease,
        Opened::Busy(claim) => panic!("{claim:?}"),
    }
}

/// Appends what must not be refused.
pub(crate) async fn write(store: &SqliteStore, append: Append) {
    assert_eq!(store.append(append).await.unwrap(), Appended::Written);
}

pub(crate) async fn end(store: &SqliteStore, lease: &Lease, seq: u64) {
    let state = RunState::Ended;
    write(store, Append { state, ..entry(lease, seq, "terminal") }).await;
}

pub(crate) async fn bodies(store: &SqliteStore, run: &RunId) -> Vec<String> {
    let journal = store.journal(run, 0).await.unwrap();
    journal.into_iter().map(|entry| entry.body).collect()
}

pub(crate) fn posting(dedup: &str, run: &str, kind: PostingKind) -> Posting {
    Posting {
        dedup: dedup.to_owned(),
        thread: ThreadKey { incident: incident("inc-1"), run: RunId::new(run).unwrap() },
        kind,
        message: Message {
            tone: Tone::Neutral,
            phase: Phase::Started,
            title: vec![Part::Ours(dedup.to_owned())],
            body: Vec::new(),
            facts: Vec::new(),
        },
        silencing: None,
        root: None,
    }
}
