//! The write log of a target, for whoever wants to know what was really accepted.

use std::path::Path;

use hotfix_core::model::{IdempotencyKey, Stamp, Target, Verb};

use crate::error::LocalError;
use crate::layout::Root;
use crate::ledger;
use crate::state::{Change, Write};

/// One mutation that a target accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedWrite {
    /// Counts the accepted mutations of the target, from 1 and without gaps.
    pub number: u64,
    /// Its stamp, higher than that of every write before it.
    pub stamp: Stamp,
    /// What it was.
    pub kind: WriteKind,
    /// Whether something else was wanted afterwards than before.
    pub changed: bool,
}

/// What a target accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteKind {
    /// A verb, for the first and only time under this key.
    Applied {
        /// The key.
        key: IdempotencyKey,
        /// The verb.
        verb: Verb,
    },
    /// The repetition of an applied key: only the fence rose.
    Repeated {
        /// The key.
        key: IdempotencyKey,
    },
    /// A seal: only the fence rose.
    Sealed,
}

/// Reads everything that the target accepted, oldest first, from the state directory alone.
///
/// # Errors
/// [`LocalError::NoTarget`] when it was never added, [`LocalError::Io`], [`LocalError::Corrupt`].
pub fn accepted_writes(state: &Path, target: &Target) -> Result<Vec<AcceptedWrite>, LocalError> {
    let folder = Root::new(state).target(target);
    if ledger::load(&folder)?.is_none() {
        return Err(LocalError::NoTarget { target: target.clone(), root: state.to_owned() });
    }
    Ok(ledger::writes(&folder)?.into_iter().map(AcceptedWrite::from).collect())
}

impl From<Write> for AcceptedWrite {
    fn from(write: Write) -> Self {
        let mut before = write.before;
        // It rises with every accepted write, whatever that changes.
        before.generation = write.after.generation;
        let kind = match write.change {
            Change::Applied { key, verb, .. } => WriteKind::Applied { key, verb: *verb },
            Change::Repeated { key } => WriteKind::Repeated { key },
            Change::Sealed => WriteKind::Sealed,
        };
        Self { number: write.number, stamp: write.stamp, kind, changed: before != write.after }
    }
}
