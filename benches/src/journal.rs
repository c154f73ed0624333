//! The same journal entries written by hotfix-store and by bare SQLite with the same settings.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use hotfix_core::memory::ManualClock;
use hotfix_core::model::{IncidentId, IssueKey, Period, RunId, Severity, WorkerName};
use hotfix_core::port::{Append, Appended, IncidentStore, Lease, NewIncident, NewRun, Opened, RunState};
use hotfix_store::SqliteStore;
use rusqlite::Connection;

use crate::Failure;
use crate::replay::Replay;
use crate::world::{Shop, policy, request};

/// The entries of a real run, again and again.
#[derive(Debug, Clone)]
pub struct Entries(Vec<String>);

impl Entries {
    /// Takes the entries of the shop's hotfix, without the plan, which is written once.
    ///
    /// # Errors
    /// [`Failure`] when the run cannot be made.
    pub fn of_a_run() -> Result<Self, Failure> {
        let plan = Shop::open()?.plan(&request()?, &policy(|_| {})?)?;
        let records = Replay::of(plan)?.records;
        Ok(Self(records.iter().map(hotfix_core::execute::Record::encode).collect::<Result<_, _>>()?))
    }

    fn at(&self, index: u64) -> &str {
        let index = usize::try_from(index).unwrap_or_default();
        &self.0[index % self.0.len()]
    }
}

/// Runs in a store of hotfix-store.
#[derive(Debug)]
pub struct Stored {
    store: SqliteStore,
    runs: Vec<Lease>,
    next: u64,
    entries: Entries,
}

impl Stored {
    /// Opens a store in the folder, with so many runs in it.
    ///
    /// # Errors
    /// [`Failure`] when the store cannot be opened.
    pub async fn open(folder: &Path, runs: usize, entries: Entries) -> Result<Self, Failure> {
        let store = SqliteStore::open(folder.join("stored.db"), Arc::new(ManualClock::default())).await?;
        let mut leases = Vec::with_capacity(runs);
        for number in 0..runs {
            match store.open_run(new_run(number)?).await? {
                Opened::Claimed { lease, .. } => leases.push(lease),
                Opened::Busy(claim) => return Err(Failure::new(format!("{} is taken", claim.target))),
            }
        }
        Ok(Self { store, runs: leases, next: 1, entries })
    }

    /// Appends an entry to each run, all at once, and waits until all are durable.
    ///
    /// # Errors
    /// [`Failure`] when one is not written.
    pub async fn append_to_each(&mut self) -> Result<(), Failure> {
        let append = |lease: &Lease| Append {
            run: lease.run.clone(),
            epoch: lease.epoch,
            seq: self.next,
            body: self.entries.at(self.next).to_owned(),
            state: RunState::Active,
            timeline: Vec::new(),
            postings: Vec::new(),
            known_good: Vec::new(),
        };
        for appended in join_all(self.runs.iter().map(|run| self.store.append(append(run)))).await {
            match appended? {
                Appended::Written => {}
                Appended::Lost { epoch } => {
                    return Err(Failure::new(format!("the run belongs to epoch {epoch}")));
                }
            }
        }
        self.next += 1;
        Ok(())
    }
}

/// A bare table in a database of its own.
#[derive(Debug)]
pub struct Bare {
    db: Connection,
    next: u64,
    entries: Entries,
}

impl Bare {
    /// Opens a database in the folder.
    ///
    /// # Errors
    /// [`Failure`] when SQLite cannot.
    pub fn open(folder: &Path, entries: Entries) -> Result<Self, Failure> {
        let db = Connection::open(folder.join("bare.db"))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.execute_batch("CREATE TABLE journal (entry INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")?;
        Ok(Self { db, next: 1, entries })
    }

    /// Inserts so many rows in one transaction: the same bytes as [`Stored::append_to_each`].
    ///
    /// # Errors
    /// [`Failure`] when SQLite cannot.
    pub fn insert(&mut self, rows: usize) -> Result<(), Failure> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for _ in 0..rows {
            let body = self.entries.at(self.next);
            self.db.prepare_cached("INSERT INTO journal (body) VALUES (?1)")?.execute([body])?;
        }
        self.db.prepare_cached("COMMIT")?.execute([])?;
        self.next += 1;
        Ok(())
    }
}

fn new_run(number: usize) -> Result<NewRun, Failure> {
    Ok(NewRun {
        run: RunId::new(format!("run-{number}"))?,
        worker: WorkerName::new("worker-1")?,
        claims: vec![format!("production/shop-{number}").parse()?],
        ttl: Period::from_hours(1),
        epoch_above: 0,
        incident: NewIncident {
            id: IncidentId::new(format!("incident-{number}"))?,
            issue: IssueKey::new(format!("PROD-{number}"))?,
            title: "Payments fail".to_owned(),
            severity: Severity::P1,
        },
        body: "planned".to_owned(),
        timeline: Vec::new(),
        postings: Vec::new(),
    })
}
