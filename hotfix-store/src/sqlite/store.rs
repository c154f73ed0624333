//! [`SqliteStore`]: the port's calls as requests to the threads that hold the connections.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::{Incident, IncidentId, Period, RunId, Target, TimelineEvent, WorkerName};
use hotfix_core::port::{
    Append, Appended, Clock, Durability, Heard, IncidentStore, JournalEntry, KnownGood, NewRun, Opened,
    OutboxItem, Renewed, RunFilter, RunSummary, Settlement, Sharing, SignalEntry, StoreCapabilities,
    TakenOver,
};
use hotfix_core::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};

use super::failure::Failure;
use super::job::{Job, Request, stopped};
use super::open::{self, Connections};
use super::options::SqliteOptions;
use super::reader::{self, Readers};
use super::tx::Tx;
use super::writer::Writer;
use super::{claim, incident, journal, outbox, run, signal};

/// An [`IncidentStore`] in one SQLite file, for the processes of one host.
///
/// It has threads of its own; no call blocks the caller's runtime. Dropping it lets what was already asked for be
/// written and then closes the file in the background; [`SqliteStore::close`] waits for that.
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    writer: mpsc::Sender<Box<dyn Job>>,
    readers: Readers,
    /// Ends when the last thread has closed its connection.
    threads: mpsc::Receiver<std::convert::Infallible>,
}

impl SqliteStore {
    /// Opens the store at `path` with default options, creating the file if there is none.
    ///
    /// # Errors
    /// `Invalid` for a path that names no file, a missing directory, a network file system or another program's
    /// database; `TooNew` for a schema of a newer version; `Corrupt` for a file that is not a database or is damaged;
    /// `Forbidden`, `Full`, and `Unavailable` when another process keeps it locked.
    pub async fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_with(path, clock, SqliteOptions::default()).await
    }

    /// Opens the store with options.
    ///
    /// # Errors
    /// As [`SqliteStore::open`]; `Invalid` for an option out of range.
    pub async fn open_with(
        path: impl AsRef<Path>,
        clock: Arc<dyn Clock>,
        options: SqliteOptions,
    ) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let (reply, opened) = oneshot::channel();
        spawn("hotfix-store-open", move || {
            let store = open::open(&path, &options)
                .map_err(|failure| failure.on(OPEN))
                .and_then(|connections| Self::start(path, connections, clock, &options));
            drop(reply.send(store));
        })?;
        opened.await.map_err(|_| stopped(OPEN))?
    }

    /// Waits until everything asked for is written and the file is closed.
    pub async fn close(self) {
        let Self { writer, readers, mut threads, .. } = self;
        drop((writer, readers));
        threads.recv().await;
    }

    fn start(
        path: PathBuf,
        connections: Connections,
        clock: Arc<dyn Clock>,
        options: &SqliteOptions,
    ) -> Result<Self> {
        let (alive, threads) = mpsc::channel(1);
        let (readers, queue) = Readers::new();
        for db in connections.readers {
            let (queue, alive) = (Arc::clone(&queue), alive.clone());
            spawn("hotfix-store-read", move || {
                reader::serve(&db, &queue);
                drop(db);
                drop(alive);
            })?;
        }
        let (writer, jobs) = mpsc::channel(options.queue);
        let state = Writer::new(connections.writer, Arc::clone(&clock), jobs);
        spawn("hotfix-store-write", move || {
            state.run();
            drop(alive);
        })?;
        Ok(Self { path, clock, writer, readers, threads })
    }

    async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (request, answer) = Request::new(operation, work);
        self.writer.send(Box::new(request)).await.map_err(|_| stopped(operation))?;
        answer.await.map_err(|_| stopped(operation))?
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl IncidentStore for SqliteStore {
    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities { durability: Durability::Machine, sharing: Sharing::Host }
    }

    async fn open_run(&self, run: NewRun) -> Result<Opened> {
        self.write("store.open_run", move |tx| claim::open(tx, &run)).await
    }

    async fn append(&self, append: Append) -> Result<Appended> {
        self.write("store.append", move |tx| journal::append(tx, &append)).await
    }

    async fn renew(&self, run: &RunId, epoch: u64, ttl: Period) -> Result<Renewed> {
        let run = run.clone();
        self.write("store.renew", move |tx| claim::renew(tx, &run, epoch, ttl)).await
    }

    async fn take_over(
        &self,
        run: &RunId,
        worker: &WorkerName,
        ttl: Period,
        above: u64,
    ) -> Result<TakenOver> {
        let (run, worker) = (run.clone(), worker.clone());
        self.write("store.take_over", move |tx| claim::take_over(tx, &run, &worker, ttl, above)).await
    }

    async fn journal(&self, run: &RunId, from: u64) -> Result<Vec<JournalEntry>> {
        let run = run.clone();
        self.readers.read("store.journal", move |db| journal::read(db, &run, from)).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>> {
        self.readers.read("store.runs", move |db| run::list(db, filter)).await
    }

    async fn signal(&self, run: &RunId, signal: SignalEntry) -> Result<()> {
        let run = run.clone();
        self.write("store.signal", move |tx| signal::leave(tx, &run, &signal)).await
    }

    async fn signals(&self, known: &[Heard]) -> Result<Vec<(RunId, SignalEntry)>> {
        let known = known.to_vec();
        self.readers.read("store.signals", move |db| signal::read(db, &known)).await
    }

    async fn lease_outbox(&self, destination: &str, ttl: Period, limit: usize) -> Result<Vec<OutboxItem>> {
        let destination = destination.to_owned();
        self.write("store.lease_outbox", move |tx| outbox::lease(tx, &destination, ttl, limit)).await
    }

    async fn settle_outbox(&self, item: &OutboxItem, settlement: Settlement) -> Result<()> {
        let (id, attempts) = (item.id, item.attempts);
        self.write("store.settle_outbox", move |tx| outbox::settle(tx, id, attempts, &settlement)).await
    }

    async fn undelivered(&self) -> Result<Vec<OutboxItem>> {
        let now = self.clock.now();
        self.readers.read("store.undelivered", move |db| outbox::undelivered(db, now)).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Incident> {
        let id = id.clone();
        self.readers.read("store.incident", move |db| incident::read(db, &id)).await
    }

    async fn timeline(&self, id: &IncidentId) -> Result<Vec<TimelineEvent>> {
        let id = id.clone();
        self.readers.read("store.timeline", move |db| incident::timeline(db, &id)).await
    }

    async fn known_good(&self, target: &Target, limit: usize) -> Result<Vec<KnownGood>> {
        let target = target.clone();
        self.readers.read("store.known_good", move |db| incident::known_good(db, &target, limit)).await
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(drop).map_err(|error| {
        Error::new(ErrorKind::Unavailable, OPEN, "no thread could be started for the store")
            .with_source(error)
    })
}

const OPEN: &str = "store.open";
