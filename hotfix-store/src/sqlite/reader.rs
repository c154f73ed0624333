//! The threads that read, each on its own connection and never in the way of the writer.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use hotfix_core::Result;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::failure::Failure;
use super::job::stopped;
use super::migrate;

/// A read on its way to whichever reader is free.
pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The side of the readers' queue that callers hold.
#[derive(Debug, Clone)]
pub(super) struct Readers(mpsc::Sender<Read>);

/// The side of the readers' queue that all readers share.
pub(super) type Queue = Arc<Mutex<mpsc::Receiver<Read>>>;

impl Readers {
    pub(super) fn new() -> (Self, Queue) {
        let (sender, receiver) = mpsc::channel();
        (Self(sender), Arc::new(Mutex::new(receiver)))
    }

    /// Runs `work` on a consistent view of the database.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |db| drop(reply.send(snapshot(db, work))));
        self.0.send(read).map_err(|_| stopped(operation))?;
        let outcome = answer.await.map_err(|_| stopped(operation))?;
        outcome.map_err(|failure| failure.on(operation))
    }
}

/// Serves reads until the store is dropped.
pub(super) fn serve(db: &Connection, queue: &Queue) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(read) => read(db),
            Err(mpsc::RecvError) => return,
        }
    }
}

fn snapshot<T>(db: &Connection, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
    db.prepare_cached("BEGIN")?.execute([])?;
    let outcome = migrate::check_version(db).and_then(|()| work(db));
    // A failing disk ends the transaction by itself.
    if !db.is_autocommit() {
        db.prepare_cached("COMMIT")?.execute([])?;
    }
    outcome
}
