//! The journal: appending under epoch and sequence, reading with the checksum verified.

use hotfix_core::ErrorKind;
use hotfix_core::model::{RunId, Timestamp};
use hotfix_core::port::{Append, Appended, JournalEntry, RunState};
use rusqlite::{Connection, OptionalExtension, params};

use super::chain::{Link, Linked};
use super::column::{Count, Micros, Word};
use super::failure::Failure;
use super::heads::Head;
use super::tx::Tx;
use super::{incident, outbox, run};

/// Appends one entry and everything that must be true with it.
pub(super) fn append(tx: &mut Tx<'_>, append: &Append) -> Result<Appended, Failure> {
    let head = head(tx, &append.run)?;
    if append.seq < head.next {
        return repeated(tx, append, &head);
    }
    let current = (head.epoch, head.next) == (append.epoch, append.seq) && head.state != RunState::Ended;
    if !current {
        return Ok(Appended::Lost { epoch: head.epoch });
    }
    let head = if brings_more(append, &head) {
        tx.atomically(|tx| write_all(tx, append, head))?
    } else {
        write_entry(tx, head, &append.body)?
    };
    tx.heads.put(&append.run, head);
    Ok(Appended::Written)
}

/// Writes the next entry of a run and returns the head after it.
pub(super) fn write_entry(tx: &Tx<'_>, head: Head, body: &str) -> Result<Head, Failure> {
    let at = tx.now();
    let link = head.link.next(&Linked { seq: head.next, epoch: head.epoch, at, body });
    tx.execute(
        "INSERT INTO journal (run, seq, epoch, at, body, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![head.number, Count(head.next), Count(head.epoch), Micros(at), body, link],
    )?;
    Ok(Head { next: head.next + 1, link, ..head })
}

/// Returns the end of a run's journal.
pub(super) fn head(tx: &mut Tx<'_>, run: &RunId) -> Result<Head, Failure> {
    if let Some(head) = tx.heads.get(run) {
        return Ok(head);
    }
    let head = load_head(tx.db, run)?;
    tx.heads.put(run, head);
    Ok(head)
}

/// Reads the entries from `from` on. Every one is checked against the chain.
pub(super) fn read(db: &Connection, run: &RunId, from: u64) -> Result<Vec<JournalEntry>, Failure> {
    let (number, anchored) = run::number_and_anchor(db, run)?;
    let mut link = link_before(db, run, number, from)?;
    let mut sql = db.prepare_cached(
        "SELECT seq, epoch, at, body, chain FROM journal WHERE run = ?1 AND seq >= ?2 ORDER BY seq",
    )?;
    let mut rows = sql.query(params![number, in_column(from)])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = from + entries.len() as u64;
        let (entry, stored) = decode(row).map_err(|error| damaged(run, seq).with("cause", error))?;
        link = link.next(&Linked { seq: entry.seq, epoch: entry.epoch, at: entry.at, body: &entry.body });
        if entry.seq != seq || link != stored {
            return Err(damaged(run, seq));
        }
        entries.push(entry);
    }
    let end = from.saturating_add(entries.len() as u64);
    if end < anchored {
        return Err(damaged(run, end));
    }
    Ok(entries)
}

/// A number to compare with a column: beyond the largest that fits there is no entry.
fn in_column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn brings_more(append: &Append, head: &Head) -> bool {
    append.state != head.state
        || !append.timeline.is_empty()
        || !append.postings.is_empty()
        || !append.known_good.is_empty()
}

fn write_all(tx: &Tx<'_>, append: &Append, head: Head) -> Result<Head, Failure> {
    let head = write_entry(tx, head, &append.body)?;
    let incident = run::incident_of(tx, head.number)?;
    incident::write_timeline(tx, &incident, &append.timeline)?;
    outbox::enqueue_all(tx, &incident, &append.postings)?;
    for known_good in &append.known_good {
        incident::remember_good(tx, known_good)?;
    }
    if append.state == head.state {
        return Ok(head);
    }
    let head = Head { state: append.state, ..head };
    run::change_state(tx, &head)?;
    Ok(head)
}

/// Answers an append whose sequence number is taken: the same entry again is written, another one is not.
fn repeated(tx: &Tx<'_>, append: &Append, head: &Head) -> Result<Appended, Failure> {
    let mut sql = tx.sql("SELECT 1 FROM journal WHERE run = ?1 AND seq = ?2 AND epoch = ?3 AND body = ?4")?;
    let epoch = in_column(append.epoch);
    let same = sql.exists(params![head.number, Count(append.seq), epoch, append.body])?;
    Ok(if same { Appended::Written } else { Appended::Lost { epoch: head.epoch } })
}

fn load_head(db: &Connection, run: &RunId) -> Result<Head, Failure> {
    let mut sql = db.prepare_cached("SELECT number, state, epoch, anchored FROM run WHERE id = ?1")?;
    let found = sql.query_row([run.as_str()], |row| {
        let (Word(state), Count(epoch), Count(anchored)) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((row.get(0)?, state, epoch, anchored))
    });
    let (number, state, epoch, anchored) = found.optional()?.ok_or_else(|| run::unknown(run))?;
    let mut sql =
        db.prepare_cached("SELECT seq, chain FROM journal WHERE run = ?1 ORDER BY seq DESC LIMIT 1")?;
    let last = sql.query_row([number], |row| Ok((row.get::<_, Count>(0)?.0, row.get(1)?)));
    let (seq, link) = last.optional()?.ok_or_else(|| damaged(run, 0))?;
    if seq + 1 < anchored {
        return Err(damaged(run, seq + 1));
    }
    Ok(Head { number, state, epoch, next: seq + 1, link })
}

/// Returns the link that the entry `from` builds on.
fn link_before(db: &Connection, run: &RunId, number: i64, from: u64) -> Result<Link, Failure> {
    let Some(before) = from.checked_sub(1) else {
        return Ok(Link::root(run));
    };
    let mut sql = db.prepare_cached("SELECT chain FROM journal WHERE run = ?1 AND seq = ?2")?;
    let link = sql.query_row(params![number, in_column(before)], |row| row.get(0)).optional();
    // Beyond the end there is nothing to check.
    Ok(link.map_err(|error| damaged(run, before).with("cause", error))?.unwrap_or_else(|| Link::root(run)))
}

fn decode(row: &rusqlite::Row<'_>) -> rusqlite::Result<(JournalEntry, Link)> {
    let (Count(seq), Count(epoch), Micros(at)) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let at: Timestamp = at;
    let body = row.get(3)?;
    Ok((JournalEntry { seq, epoch, at, body }, row.get(4)?))
}

fn damaged(run: &RunId, seq: u64) -> Failure {
    let message = "a journal entry is missing or was changed: restore a backup, and check the targets by hand before \
                   any new run";
    Failure::new(ErrorKind::Corrupt, message).with("run", run).with("seq", seq)
}
