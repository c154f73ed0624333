//! The journal: appending under epoch and sequence, reading with the checksum verified.
//!
//! A run knows its newest entry, and each entry the one before. So an append touches the end of the table and the run's
//! row, whatever the number of runs, and reading the newest entries costs the same however long the journal is.

use hotfix_core::ErrorKind;
use hotfix_core::model::{RunId, Timestamp};
use hotfix_core::port::{Append, Appended, JournalEntry, RunState};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::chain::{Link, Linked};
use super::column::{Count, Micros};
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
        // Cheaper than a savepoint: a failure halfway undoes the group, and the writer gives each request its own.
        write_entry(tx, head, &append.body).inspect_err(|_| tx.abandon())?
    };
    tx.heads.put(&append.run, head);
    Ok(Appended::Written)
}

/// Writes the next entry of a run and returns the head after it.
pub(super) fn write_entry(tx: &Tx<'_>, head: Head, body: &str) -> Result<Head, Failure> {
    let at = tx.now();
    let link = head.link.next(&Linked { seq: head.next, epoch: head.epoch, at, body });
    tx.execute(
        "INSERT INTO journal (run, seq, epoch, at, body, chain, previous) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![head.number, Count(head.next), Count(head.epoch), Micros(at), body, link, head.last],
    )?;
    let head = Head { next: head.next + 1, last: tx.db.last_insert_rowid(), link, ..head };
    tx.execute(
        "UPDATE run SET entries = ?2, last = ?3 WHERE number = ?1",
        params![head.number, Count(head.next), head.last],
    )?;
    Ok(head)
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
    let end = run::end(db, run)?;
    let mut backward = Backward::new(db, run, end.number, end.last)?;
    let mut stored = Vec::new();
    for seq in (from..end.entries).rev() {
        stored.push(backward.read(seq)?);
    }
    let mut link = match from.checked_sub(1) {
        Some(before) if from < end.entries => backward.read(before)?.link,
        _ => Link::root(run),
    };
    let mut entries = Vec::with_capacity(stored.len());
    for Stored { entry, link: expected } in stored.into_iter().rev() {
        link = link.next(&Linked { seq: entry.seq, epoch: entry.epoch, at: entry.at, body: &entry.body });
        if link != expected {
            return Err(damaged(run, entry.seq));
        }
        entries.push(entry);
    }
    Ok(entries)
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
    let mut backward = Backward::new(tx.db, &append.run, head.number, head.last)?;
    let mut written = None;
    for seq in (append.seq..head.next).rev() {
        written = Some(backward.read(seq)?.entry);
    }
    let same = written.is_some_and(|entry| entry.epoch == append.epoch && entry.body == append.body);
    Ok(if same { Appended::Written } else { Appended::Lost { epoch: head.epoch } })
}

fn load_head(db: &Connection, run: &RunId) -> Result<Head, Failure> {
    let run::End { number, state, epoch, entries, last } = run::end(db, run)?;
    let newest = entries.checked_sub(1).ok_or_else(|| damaged(run, 0))?;
    let link = Backward::new(db, run, number, last)?.read(newest)?.link;
    Ok(Head { number, state, epoch, next: entries, last, link })
}

/// An entry as it lies in the table.
struct Stored {
    entry: JournalEntry,
    link: Link,
}

/// Reads a journal from its newest entry back.
struct Backward<'a> {
    sql: CachedStatement<'a>,
    run: &'a RunId,
    number: i64,
    /// The row to read next.
    row: i64,
}

impl<'a> Backward<'a> {
    fn new(db: &'a Connection, run: &'a RunId, number: i64, last: i64) -> Result<Self, Failure> {
        let sql = db.prepare_cached(
            "SELECT epoch, at, body, chain, previous FROM journal WHERE number = ?1 AND run = ?2 AND seq = ?3",
        )?;
        Ok(Self { sql, run, number, row: last })
    }

    /// Reads the next older entry, which has to be `seq`.
    fn read(&mut self, seq: u64) -> Result<Stored, Failure> {
        let damaged = || damaged(self.run, seq);
        let found = self.sql.query_row(params![self.row, self.number, Count(seq)], |row| {
            let (Count(epoch), Micros(at)) = (row.get(0)?, row.get(1)?);
            let at: Timestamp = at;
            let entry = JournalEntry { seq, epoch, at, body: row.get(2)? };
            Ok((Stored { entry, link: row.get(3)? }, row.get(4)?))
        });
        let found = found.optional().map_err(|error| damaged().with("cause", error))?;
        let (stored, previous) = found.ok_or_else(damaged)?;
        self.row = previous;
        Ok(stored)
    }
}

fn damaged(run: &RunId, seq: u64) -> Failure {
    let message = "a journal entry is missing or was changed: restore a backup, and check the targets by hand before \
                   any new run";
    Failure::new(ErrorKind::Corrupt, message).with("run", run).with("seq", seq)
}
