//! What the writer remembers of each journal's end, so that an append need not read before it writes.
//!
//! Valid while nobody else writes: [`Heads::forget`] is called when another connection committed or a transaction was
//! undone.

use std::collections::HashMap;

use hotfix_core::model::RunId;
use hotfix_core::port::RunState;

use super::chain::Link;

/// The end of a run's journal, and what an append is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// The run's number in the database.
    pub(super) number: i64,
    pub(super) state: RunState,
    pub(super) epoch: u64,
    /// The sequence number of the next entry.
    pub(super) next: u64,
    /// The row of the last entry.
    pub(super) last: i64,
    /// The link of the last entry.
    pub(super) link: Link,
}

/// The heads of the runs that were written to lately.
#[derive(Debug, Default)]
pub(super) struct Heads(HashMap<RunId, Head>);

impl Heads {
    pub(super) fn get(&self, run: &RunId) -> Option<Head> {
        self.0.get(run).copied()
    }

    pub(super) fn put(&mut self, run: &RunId, head: Head) {
        if let Some(known) = self.0.get_mut(run) {
            *known = head;
            return;
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(run.clone(), head);
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// About 4 MB.
const MOST: usize = 16_384;
