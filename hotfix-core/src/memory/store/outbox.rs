//! The outbox: postings in the order of writing, one at a time per thread and destination.

use std::collections::BTreeSet;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Period, Timestamp};
use crate::port::{Delivered, OutboxItem, OutboxState, Posting, PostingKind, Settlement};

#[derive(Default)]
pub(super) struct Outbox {
    /// The number of a posting is its place here.
    rows: Vec<Row>,
}

struct Row {
    destination: String,
    posting: Posting,
    attempts: u32,
    stage: Stage,
    due: Timestamp,
}

#[derive(Clone, PartialEq, Eq)]
enum Stage {
    Waiting,
    Uncertain,
    /// Handed out until `due`; nobody knows yet what became of it.
    Leased {
        before: OutboxState,
    },
    Dead {
        cause: String,
    },
    Delivered(Delivered),
}

impl Row {
    fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Delivered(_) | Stage::Dead { .. })
    }

    fn shares_thread(&self, other: &Self) -> bool {
        self.destination == other.destination && self.posting.thread == other.posting.thread
    }

    /// Returns where an undelivered posting stands; `None` once it is delivered.
    fn state(&self, now: Timestamp) -> Option<OutboxState> {
        match &self.stage {
            Stage::Waiting => Some(OutboxState::Waiting),
            Stage::Uncertain => Some(OutboxState::Uncertain),
            Stage::Leased { before } if now < self.due => Some(before.clone()),
            Stage::Leased { .. } => Some(OutboxState::Uncertain),
            Stage::Dead { cause } => Some(OutboxState::Dead { cause: cause.clone() }),
            Stage::Delivered(_) => None,
        }
    }
}

impl Outbox {
    /// Adds a posting. A posting that this destination already has by the same name is the same posting.
    pub(super) fn add(&mut self, destination: String, posting: Posting, now: Timestamp) {
        let is_there = |row: &Row| row.destination == destination && row.posting.dedup == posting.dedup;
        if self.rows.iter().any(is_there) {
            return;
        }
        self.rows.push(Row { destination, posting, attempts: 0, stage: Stage::Waiting, due: now });
    }

    pub(super) fn lease(
        &mut self,
        destination: &str,
        now: Timestamp,
        ttl: Period,
        limit: usize,
    ) -> Vec<OutboxItem> {
        let is_due = |index: &usize| self.rows[*index].due <= now;
        let due: Vec<usize> = self.next_of_each_thread(destination).filter(is_due).take(limit).collect();
        due.into_iter().filter_map(|index| self.hand_out(index, now, ttl)).collect()
    }

    /// The first posting of each thread at the destination that is neither delivered nor given up.
    fn next_of_each_thread(&self, destination: &str) -> impl Iterator<Item = usize> {
        let mut seen = BTreeSet::new();
        let rows = self.rows.iter().enumerate();
        rows.filter(move |(_, row)| row.is_open() && row.destination == destination)
            .filter(move |(_, row)| seen.insert(&row.posting.thread))
            .map(|(index, _)| index)
    }

    fn hand_out(&mut self, index: usize, now: Timestamp, ttl: Period) -> Option<OutboxItem> {
        let item = self.item(index, now)?;
        let row = &mut self.rows[index];
        row.stage = Stage::Leased { before: item.state.clone() };
        row.attempts += 1;
        row.due = now + ttl.to_delta();
        Some(item)
    }

    /// Shows an undelivered posting, completed with the receipt of the newest root of its thread.
    fn item(&self, index: usize, now: Timestamp) -> Option<OutboxItem> {
        let row = &self.rows[index];
        let mut posting = row.posting.clone();
        if posting.kind != PostingKind::Root {
            posting.root = self.root_before(index);
        }
        Some(OutboxItem {
            id: index as u64,
            destination: row.destination.clone(),
            posting,
            attempts: row.attempts,
            state: row.state(now)?,
        })
    }

    fn root_before(&self, index: usize) -> Option<Delivered> {
        let row = &self.rows[index];
        let receipt = |other: &Row| match &other.stage {
            Stage::Delivered(receipt)
                if other.posting.kind == PostingKind::Root && other.shares_thread(row) =>
            {
                Some(receipt.clone())
            }
            _ => None,
        };
        self.rows[..index].iter().rev().find_map(receipt)
    }

    pub(super) fn settle(&mut self, item: &OutboxItem, settlement: Settlement, now: Timestamp) -> Result<()> {
        let row = usize::try_from(item.id).ok().and_then(|index| self.rows.get_mut(index));
        let Some(row) = row else {
            let error = Error::new(ErrorKind::NotFound, "store.settle_outbox", "no posting has this number");
            return Err(error.with("posting", item.id));
        };
        match settlement {
            Settlement::Delivered(receipt) => row.stage = Stage::Delivered(receipt),
            // A late word about a posting that somebody else brought to its end, or has now, changes nothing.
            _ if !row.is_open() || row.attempts != item.attempts + 1 => {}
            Settlement::Retry { after, .. } => {
                (row.stage, row.due) = (Stage::Waiting, now + after.to_delta());
            }
            Settlement::Uncertain { after, .. } => {
                (row.stage, row.due) = (Stage::Uncertain, now + after.to_delta());
            }
            Settlement::Dead { cause } => row.stage = Stage::Dead { cause },
        }
        Ok(())
    }

    pub(super) fn undelivered(&self, now: Timestamp) -> Vec<OutboxItem> {
        (0..self.rows.len()).filter_map(|index| self.item(index, now)).collect()
    }
}
