//! The outbox: postings in order per thread and destination, at most one of each in flight.

use hotfix_core::ErrorKind;
use hotfix_core::model::{IncidentId, Period, Timestamp};
use hotfix_core::port::{Delivered, OutboxItem, OutboxState, Posting, PostingKind, Settlement};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Row, params};

use super::column::{Json, Micros, Word};
use super::failure::Failure;
use super::tx::Tx;

/// Stores postings about an incident.
pub(super) fn enqueue_all(
    tx: &Tx<'_>,
    incident: &IncidentId,
    postings: &[(String, Posting)],
) -> Result<(), Failure> {
    for (destination, posting) in postings {
        if posting.thread.incident == *incident {
            enqueue(tx, destination, posting)?;
        } else {
            let mut posting = posting.clone();
            posting.thread.incident = incident.clone();
            enqueue(tx, destination, &posting)?;
        }
    }
    Ok(())
}

/// Stores a posting, unless its name was used at the destination before.
fn enqueue(tx: &Tx<'_>, destination: &str, posting: &Posting) -> Result<(), Failure> {
    let thread = &posting.thread;
    let inserted = tx.execute(
        "INSERT INTO outbox (destination, dedup, incident, run, kind, posting, state, due)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7)
         ON CONFLICT (destination, dedup) DO NOTHING",
        params![
            destination,
            posting.dedup,
            thread.incident.as_str(),
            thread.run.as_str(),
            Word(posting.kind),
            Json(posting),
            Micros(tx.now())
        ],
    )?;
    if inserted == 1 && posting.kind == PostingKind::Update {
        supersede_older(tx, destination, posting)?;
    }
    Ok(())
}

/// Hands out what is due: the first open posting of each thread and destination, unless it is in flight.
pub(super) fn lease(
    tx: &mut Tx<'_>,
    destination: &str,
    ttl: Period,
    limit: usize,
) -> Result<Vec<OutboxItem>, Failure> {
    let now = tx.now();
    let items = due(tx, destination, now, limit)?;
    tx.atomically(|tx| {
        for item in &items {
            tx.execute(
                "UPDATE outbox SET leased = 1, due = ?2, attempts = attempts + 1 WHERE id = ?1",
                params![item.id.cast_signed(), Micros(now + ttl.to_delta())],
            )?;
        }
        Ok(())
    })?;
    Ok(items)
}

/// Records what became of a posting that was handed out so many times before. What was delivered or replaced stays so,
/// and what somebody else has by now is left to him, whatever a late worker says.
pub(super) fn settle(tx: &Tx<'_>, id: u64, attempts: u32, settlement: &Settlement) -> Result<(), Failure> {
    let known = tx.sql("SELECT 1 FROM outbox WHERE id = ?1")?.exists([id.cast_signed()])?;
    if !known {
        let message = "no posting of this number is in the outbox";
        return Err(Failure::new(ErrorKind::NotFound, message).with("id", id));
    }
    match settlement {
        Settlement::Delivered(receipt) => delivered(tx, id, receipt),
        Settlement::Retry { after, cause } => wait(tx, id, attempts, "waiting", *after, cause),
        Settlement::Uncertain { after, cause } => wait(tx, id, attempts, "uncertain", *after, cause),
        Settlement::Dead { cause } => {
            tx.execute(
                "UPDATE outbox SET state = 'dead', due = NULL, cause = ?3
                 WHERE id = ?1 AND attempts = ?2 + 1 AND due IS NOT NULL",
                params![id.cast_signed(), attempts, cause],
            )?;
            Ok(())
        }
    }
}

/// Lists what was not delivered, oldest first.
pub(super) fn undelivered(db: &Connection, now: Timestamp) -> Result<Vec<OutboxItem>, Failure> {
    let mut sql =
        db.prepare_cached(concat!(item_sql!(), " WHERE due IS NOT NULL OR state = 'dead' ORDER BY id"))?;
    let items = sql.query_map([], |row| decode(row, now))?;
    Ok(items.collect::<rusqlite::Result<_>>()?)
}

/// An update says how things are now: an older one that nobody took yet has nothing left to say.
fn supersede_older(tx: &Tx<'_>, destination: &str, newer: &Posting) -> Result<(), Failure> {
    tx.execute(
        "UPDATE outbox SET state = 'superseded', due = NULL
         WHERE destination = ?1 AND incident = ?2 AND run = ?3 AND kind = ?4
           AND state = 'waiting' AND leased = 0 AND dedup <> ?5",
        params![
            destination,
            newer.thread.incident.as_str(),
            newer.thread.run.as_str(),
            Word(PostingKind::Update),
            newer.dedup
        ],
    )?;
    Ok(())
}

fn due(tx: &Tx<'_>, destination: &str, now: Timestamp, limit: usize) -> Result<Vec<OutboxItem>, Failure> {
    let mut sql = tx.sql(concat!(
        item_sql!(),
        " WHERE id IN (SELECT min(id) FROM outbox WHERE destination = ?3 AND due IS NOT NULL GROUP BY incident, run)
            AND due <= ?1 ORDER BY id LIMIT ?2"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let items = sql.query_map(params![Micros(now), limit, destination], |row| decode(row, now))?;
    Ok(items.collect::<rusqlite::Result<_>>()?)
}

fn delivered(tx: &Tx<'_>, id: u64, receipt: &Delivered) -> Result<(), Failure> {
    tx.execute(
        "UPDATE outbox SET state = 'delivered', due = NULL, receipt = ?2, cause = NULL
         WHERE id = ?1 AND state NOT IN ('delivered', 'superseded')",
        params![id.cast_signed(), Json(receipt)],
    )?;
    Ok(())
}

fn wait(tx: &Tx<'_>, id: u64, attempts: u32, state: &str, after: Period, cause: &str) -> Result<(), Failure> {
    tx.execute(
        "UPDATE outbox SET state = ?3, leased = 0, due = ?4, cause = ?5
         WHERE id = ?1 AND attempts = ?2 + 1 AND due IS NOT NULL",
        params![id.cast_signed(), attempts, state, Micros(tx.now() + after.to_delta()), cause],
    )?;
    Ok(())
}

fn decode(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<OutboxItem> {
    let Json(mut posting): Json<Posting> = row.get(2)?;
    if posting.kind != PostingKind::Root {
        posting.root = row.get::<_, Option<Json<Delivered>>>(8)?.map(|Json(receipt)| receipt);
    }
    let ran_out = row.get(6)? && row.get::<_, Option<Micros>>(7)?.is_some_and(|Micros(due)| due <= now);
    let state = match row.get_ref(4)?.as_str()? {
        "waiting" if !ran_out => OutboxState::Waiting,
        "waiting" | "uncertain" => OutboxState::Uncertain,
        "dead" => OutboxState::Dead { cause: row.get::<_, Option<String>>(5)?.unwrap_or_default() },
        _ => return Err(FromSqlError::InvalidType.into()),
    };
    let id: i64 = row.get(0)?;
    Ok(OutboxItem { id: id.cast_unsigned(), destination: row.get(1)?, posting, attempts: row.get(3)?, state })
}

/// The columns of an item, with the receipt of its thread's root.
macro_rules! item_sql {
    () => {
        "SELECT id, destination, posting, attempts, state, cause, leased, due,
                (SELECT receipt FROM outbox AS root
                 WHERE root.destination = outbox.destination AND root.incident = outbox.incident
                   AND root.run = outbox.run AND root.id < outbox.id
                   AND root.kind = 'root' AND root.state = 'delivered'
                 ORDER BY root.id DESC LIMIT 1)
         FROM outbox"
    };
}
use item_sql;
