//! One request's view of the transaction it runs in, together with other requests.

use chrono::DateTime;
use hotfix_core::model::Timestamp;
use hotfix_core::port::Clock;
use rusqlite::{CachedStatement, Connection, Params};

use super::failure::Failure;
use super::heads::Heads;

/// A write transaction that is shared by a group of requests.
pub(super) struct Tx<'a> {
    pub(super) db: &'a Connection,
    pub(super) heads: &'a mut Heads,
    pub(super) clock: &'a dyn Clock,
}

impl Tx<'_> {
    /// Returns the time by the store's clock, as precise as it is stored.
    pub(super) fn now(&self) -> Timestamp {
        let now = self.clock.now();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    /// Prepares a statement once per connection.
    pub(super) fn sql(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.db.prepare_cached(sql)
    }

    /// Executes one statement.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.sql(sql)?.execute(params)
    }

    /// Undoes the transaction, for every request in it: the writer sees that and tries each again on its own.
    pub(super) fn abandon(&self) {
        if !self.db.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK", [])
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }

    /// Runs several statements of one request: all of them hold, or none. Other requests of the group are not touched.
    pub(super) fn atomically<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.execute("SAVEPOINT request", [])?;
        let outcome = work(self);
        if outcome.is_err() {
            self.heads.forget();
        }
        // A full disk may have undone the whole transaction, and the savepoint with it. The writer sees that.
        if !self.db.is_autocommit() {
            if outcome.is_err() {
                self.execute("ROLLBACK TO request", [])?;
            }
            self.execute("RELEASE request", [])?;
        }
        outcome
    }
}
