//! The one thread that writes. Group commit: whatever waits while a transaction is open joins it, and every caller
//! gets its answer after the commit.

use std::ops::ControlFlow;
use std::sync::Arc;

use hotfix_core::port::Clock;
use rusqlite::Connection;
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::failure::Failure;
use super::heads::Heads;
use super::job::Job;
use super::migrate;
use super::tx::Tx;

/// The state of the writing thread.
pub(super) struct Writer {
    db: Connection,
    clock: Arc<dyn Clock>,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    heads: Heads,
    /// SQLite's `data_version`: changes when another connection commits.
    seen: Option<i64>,
}

/// How a transaction came out.
enum End {
    /// It is durable.
    Committed,
    /// It could not be begun.
    NotBegun(Failure),
    /// It was undone, by a request that failed or by a commit that failed.
    Undone(Option<Failure>),
}

impl Writer {
    pub(super) fn new(db: Connection, clock: Arc<dyn Clock>, jobs: mpsc::Receiver<Box<dyn Job>>) -> Self {
        let (heads, seen) = (Heads::default(), None);
        Self { db, clock, jobs, heads, seen }
    }

    /// Serves requests until the store is dropped.
    pub(super) fn run(mut self) {
        let mut group = Vec::with_capacity(LARGEST_GROUP);
        while let Some(first) = self.next() {
            let end = self.transact(first, &mut group);
            self.finish(end, &mut group);
        }
    }

    /// Waits for a request, awake for a moment: who appends one entry after the other sends the next within
    /// microseconds of its answer, and falling asleep and waking up takes longer than that.
    fn next(&mut self) -> Option<Box<dyn Job>> {
        for _ in 0..LOOKS {
            match self.jobs.try_recv() {
                Ok(job) => return Some(job),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => std::thread::yield_now(),
            }
        }
        self.jobs.blocking_recv()
    }

    fn finish(&mut self, end: End, group: &mut Vec<Box<dyn Job>>) {
        let alone = group.len() == 1;
        match end {
            End::Committed => group.drain(..).for_each(Job::answer),
            End::Undone(None) if alone => group.drain(..).for_each(Job::answer),
            End::Undone(Some(failure)) if alone => group.drain(..).for_each(|job| job.fail(&failure)),
            // Somebody else held the lock for the whole wait. Those who came meanwhile waited as well; who comes after
            // the first answer gets a wait of its own.
            End::NotBegun(failure) => {
                group.extend(std::iter::from_fn(|| self.jobs.try_recv().ok()));
                group.drain(..).for_each(|job| job.fail(&failure));
            }
            // One request spoilt the transaction of all: give each its own.
            End::Undone(_) => {
                let mut single = Vec::with_capacity(1);
                for job in group.drain(..) {
                    let end = self.transact_alone(job, &mut single);
                    self.finish(end, &mut single);
                }
            }
        }
    }

    /// Runs a request, and those that arrive meanwhile, in one transaction.
    fn transact(&mut self, first: Box<dyn Job>, group: &mut Vec<Box<dyn Job>>) -> End {
        self.within(first, group, |jobs| jobs.try_recv().ok())
    }

    fn transact_alone(&mut self, job: Box<dyn Job>, group: &mut Vec<Box<dyn Job>>) -> End {
        self.within(job, group, |_| None)
    }

    fn within(
        &mut self,
        first: Box<dyn Job>,
        group: &mut Vec<Box<dyn Job>>,
        mut more: impl FnMut(&mut mpsc::Receiver<Box<dyn Job>>) -> Option<Box<dyn Job>>,
    ) -> End {
        if let Err(failure) = self.begin() {
            group.push(first);
            return End::NotBegun(failure);
        }
        let mut next = Some(first);
        while let Some(mut job) = next {
            let flow = self.serve(&mut *job);
            group.push(job);
            if flow.is_break() {
                self.heads.forget();
                return End::Undone(None);
            }
            next = if group.len() < LARGEST_GROUP { more(&mut self.jobs) } else { None };
        }
        match self.commit() {
            Ok(()) => End::Committed,
            Err(failure) => End::Undone(Some(failure)),
        }
    }

    /// Breaks when the request's failure undid the transaction, as a full disk does.
    fn serve(&mut self, job: &mut dyn Job) -> ControlFlow<()> {
        job.run(&mut Tx { db: &self.db, heads: &mut self.heads, clock: &*self.clock });
        if self.db.is_autocommit() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn begin(&mut self) -> Result<(), Failure> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let checked = self.check_neighbours();
        if checked.is_err() {
            self.roll_back();
        }
        checked
    }

    /// Notices what other connections did: their commits make the remembered heads stale and may have changed the
    /// schema.
    fn check_neighbours(&mut self) -> Result<(), Failure> {
        let version = self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.seen != Some(version) {
            self.heads.forget();
            migrate::check_version(&self.db)?;
            self.seen = Some(version);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let committed = self.db.prepare_cached("COMMIT")?.execute([]);
        if committed.is_err() {
            self.roll_back();
        }
        committed.map(drop).map_err(Failure::from)
    }

    fn roll_back(&mut self) {
        self.heads.forget();
        if self.db.is_autocommit() {
            return;
        }
        if let Err(error) = self.db.execute_batch("ROLLBACK") {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }
}

/// Bounds how long the first request of a group waits for the others.
const LARGEST_GROUP: usize = 256;

/// About 20 microseconds on a machine with nothing else to do.
const LOOKS: usize = 50;
