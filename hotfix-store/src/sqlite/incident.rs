//! The human side: incidents with their timelines, and the releases last proven healthy.

use hotfix_core::ErrorKind;
use hotfix_core::model::{Incident, IncidentId, IncidentStatus, Target, TimelineEvent, Timestamp};
use hotfix_core::port::{KnownGood, NewIncident};
use rusqlite::{Connection, OptionalExtension, params};

use super::column::{Id, Json, Micros, Word};
use super::failure::Failure;
use super::tx::Tx;

/// Returns the open incident of the issue, opening one if there is none.
pub(super) fn join(tx: &Tx<'_>, new: &NewIncident, now: Timestamp) -> Result<IncidentId, Failure> {
    let mut sql = tx.sql("SELECT id FROM incident WHERE issue = ?1 AND status <> 'resolved'")?;
    let open = sql.query_row([new.issue.as_str()], |row| row.get(0)).optional()?;
    if let Some(Id(open)) = open {
        return Ok(open);
    }
    let inserted = tx.execute(
        "INSERT INTO incident (id, issue, title, severity, status, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO NOTHING",
        params![
            new.id.as_str(),
            new.issue.as_str(),
            new.title,
            new.severity.as_str(),
            Word(IncidentStatus::Declared),
            Micros(now)
        ],
    )?;
    if inserted == 0 {
        let message = "an incident of this id was opened before: make a fresh id";
        return Err(Failure::new(ErrorKind::AlreadyExists, message).with("incident", &new.id));
    }
    Ok(new.id.clone())
}

/// Appends to the timeline of an incident and moves its status.
pub(super) fn write_timeline(
    tx: &Tx<'_>,
    incident: &IncidentId,
    events: &[TimelineEvent],
) -> Result<(), Failure> {
    for event in events {
        tx.execute(
            "INSERT INTO timeline (incident, event) VALUES (?1, ?2)",
            params![incident.as_str(), Json(event)],
        )?;
        if let Some(status) = event.status {
            // A resolved incident stays so when another one was opened for its issue meanwhile.
            tx.execute(
                "UPDATE OR IGNORE incident SET status = ?2 WHERE id = ?1",
                params![incident.as_str(), Word(status)],
            )?;
        }
    }
    Ok(())
}

/// Stores a release proven healthy, in place of an earlier proof of the same artifact.
pub(super) fn remember_good(tx: &Tx<'_>, known_good: &KnownGood) -> Result<(), Failure> {
    tx.execute(
        "INSERT OR REPLACE INTO known_good (target, artifact, known_good) VALUES (?1, ?2, ?3)",
        params![known_good.target.to_string(), known_good.release.artifact.id().as_str(), Json(known_good)],
    )?;
    Ok(())
}

/// Reads an incident.
pub(super) fn read(db: &Connection, id: &IncidentId) -> Result<Incident, Failure> {
    let mut sql =
        db.prepare_cached("SELECT issue, title, severity, status, opened_at FROM incident WHERE id = ?1")?;
    let incident = sql.query_row([id.as_str()], |row| {
        let (Id(issue), Id(severity)) = (row.get(0)?, row.get(2)?);
        let (Word(status), Micros(opened_at)) = (row.get(3)?, row.get(4)?);
        Ok(Incident { id: id.clone(), issue, title: row.get(1)?, severity, status, opened_at })
    });
    incident.optional()?.ok_or_else(|| unknown(id))
}

/// Reads the timeline of an incident, in the order of writing.
pub(super) fn timeline(db: &Connection, id: &IncidentId) -> Result<Vec<TimelineEvent>, Failure> {
    read(db, id)?;
    let mut sql = db.prepare_cached("SELECT event FROM timeline WHERE incident = ?1 ORDER BY number")?;
    let events = sql.query_map([id.as_str()], |row| row.get(0).map(|Json(event)| event))?;
    Ok(events.collect::<rusqlite::Result<_>>()?)
}

/// Reads the releases proven healthy on a target, the last proof first.
pub(super) fn known_good(db: &Connection, target: &Target, limit: usize) -> Result<Vec<KnownGood>, Failure> {
    let mut sql = db.prepare_cached(
        "SELECT known_good FROM known_good WHERE target = ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = sql.query_map(params![target.to_string(), limit], |row| row.get(0).map(|Json(good)| good))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn unknown(id: &IncidentId) -> Failure {
    Failure::new(ErrorKind::NotFound, "no incident of this id was ever opened here").with("incident", id)
}
