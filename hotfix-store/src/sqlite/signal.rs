//! Signals: words left for whoever drives a run.

use hotfix_core::ErrorKind;
use hotfix_core::model::RunId;
use hotfix_core::port::{RunState, SignalEntry};
use rusqlite::{Connection, params};

use super::column::Json;
use super::failure::Failure;
use super::tx::Tx;
use super::{journal, run};

/// Leaves a signal, once per id.
pub(super) fn leave(tx: &mut Tx<'_>, run: &RunId, entry: &SignalEntry) -> Result<(), Failure> {
    let head = journal::head(tx, run)?;
    let mut sql = tx.sql("SELECT 1 FROM signal WHERE run = ?1 AND id = ?2")?;
    if sql.exists(params![head.number, entry.id])? {
        return Ok(());
    }
    if head.state == RunState::Ended {
        let message = "the run has ended: a signal would never be read";
        return Err(Failure::new(ErrorKind::Conflict, message).with("run", run));
    }
    tx.execute(
        "INSERT INTO signal (run, position, id, entry)
         VALUES (?1, (SELECT count(*) FROM signal WHERE run = ?1), ?2, ?3)",
        params![head.number, entry.id, Json(entry)],
    )?;
    Ok(())
}

/// Reads the signals of a run after the first `skip`, in the order they were left.
pub(super) fn read(db: &Connection, run: &RunId, skip: u64) -> Result<Vec<SignalEntry>, Failure> {
    let number = run::end(db, run)?.number;
    let mut sql =
        db.prepare_cached("SELECT entry FROM signal WHERE run = ?1 AND position >= ?2 ORDER BY position")?;
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    let entries = sql.query_map(params![number, skip], |row| row.get(0).map(|Json(entry)| entry))?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}
