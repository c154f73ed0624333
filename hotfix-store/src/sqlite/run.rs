//! Runs: what they are, where they stand, and the list of them.

use hotfix_core::ErrorKind;
use hotfix_core::model::{Fenced, IncidentId, RunId};
use hotfix_core::port::{RunFilter, RunState, RunSummary};
use rusqlite::{Connection, OptionalExtension, params};

use super::column::{Count, Id, Micros, Word};
use super::failure::Failure;
use super::heads::Head;
use super::tx::Tx;

/// Writes the state of a run after a journal entry; the end releases the claims.
pub(super) fn change_state(tx: &Tx<'_>, head: &Head) -> Result<(), Failure> {
    tx.execute("UPDATE run SET state = ?2 WHERE number = ?1", params![head.number, Word(head.state)])?;
    if head.state == RunState::Ended {
        tx.execute(
            "UPDATE target SET active_run = NULL WHERE active_run = ?1
             AND name IN (SELECT target FROM run_target WHERE run = ?1)",
            [head.number],
        )?;
    }
    Ok(())
}

/// Lists runs, oldest first.
pub(super) fn list(db: &Connection, filter: RunFilter) -> Result<Vec<RunSummary>, Failure> {
    let mut sql = db.prepare_cached(match filter {
        RunFilter::Open => concat!(summary_sql!(), " WHERE state <> 'ended' ORDER BY number"),
        RunFilter::All => concat!(summary_sql!(), " ORDER BY number"),
    })?;
    let rows = sql.query_map([], |row| {
        let (Id(run), Word(state), Id(holder)) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let (Count(epoch), Id(incident)) = (row.get(4)?, row.get(5)?);
        let (Micros(opened_at), Micros(expires_at), Count(entries)) = (row.get(6)?, row.get(7)?, row.get(8)?);
        Ok(RunSummary {
            run,
            state,
            holder,
            epoch,
            claims: claims_of(db, row.get(0)?)?,
            incident,
            opened_at,
            expires_at,
            entries,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the targets of a run, in the order they were claimed.
pub(super) fn claims_of(db: &Connection, number: i64) -> rusqlite::Result<Vec<Fenced>> {
    let mut sql = db.prepare_cached("SELECT target FROM run_target WHERE run = ?1 ORDER BY position")?;
    let rows = sql.query_map([number], |row| row.get(0).map(|Id(target)| target))?;
    rows.collect()
}

/// Where a run stands, and the end of its journal.
pub(super) struct End {
    /// The run's number in the database.
    pub(super) number: i64,
    pub(super) state: RunState,
    pub(super) epoch: u64,
    /// How many journal entries there are.
    pub(super) entries: u64,
    /// The row of the newest entry.
    pub(super) last: i64,
}

/// Returns the end of a run's journal as the run's row has it.
pub(super) fn end(db: &Connection, run: &RunId) -> Result<End, Failure> {
    let mut sql = db.prepare_cached("SELECT number, state, epoch, entries, last FROM run WHERE id = ?1")?;
    let found = sql.query_row([run.as_str()], |row| {
        let (Word(state), Count(epoch), Count(entries)) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(End { number: row.get(0)?, state, epoch, entries, last: row.get(4)? })
    });
    found.optional()?.ok_or_else(|| unknown(run))
}

/// Returns the incident a run belongs to.
pub(super) fn incident_of(tx: &Tx<'_>, number: i64) -> Result<IncidentId, Failure> {
    let mut sql = tx.sql("SELECT incident FROM run WHERE number = ?1")?;
    let Id(incident) = sql.query_row([number], |row| row.get(0))?;
    Ok(incident)
}

/// The failure of a call that names a run that was never opened.
pub(super) fn unknown(run: &RunId) -> Failure {
    Failure::new(ErrorKind::NotFound, "no run of this id was ever opened here").with("run", run)
}

/// The columns of a summary.
macro_rules! summary_sql {
    () => {
        "SELECT number, id, state, holder, epoch, incident, opened_at, expires_at, entries FROM run"
    };
}
use summary_sql;
