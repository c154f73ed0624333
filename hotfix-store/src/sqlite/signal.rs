//! Signals: words left for whoever drives a run.

use hotfix_core::ErrorKind;
use hotfix_core::model::RunId;
use hotfix_core::port::{Heard, RunState, SignalEntry};
use rusqlite::{Connection, params};

use super::column::Json;
use super::failure::Failure;
use super::journal;
use super::tx::Tx;

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

/// Reads what was left for runs after the signals that are known of them, each run's in the order they were left.
pub(super) fn read(db: &Connection, known: &[Heard]) -> Result<Vec<(RunId, SignalEntry)>, Failure> {
    let mut sql = db.prepare_cached(
        "SELECT signal.entry FROM signal JOIN run ON run.number = signal.run
         WHERE run.id = ?1 AND signal.position >= ?2 ORDER BY signal.position",
    )?;
    let mut left = Vec::new();
    for Heard { run, signals: known } in known {
        let known = i64::try_from(*known).unwrap_or(i64::MAX);
        let entries =
            sql.query_map(params![run.as_str(), known], |row| row.get(0).map(|Json(entry)| entry))?;
        for entry in entries {
            left.push((run.clone(), entry?));
        }
    }
    Ok(left)
}
