//! The fence of a target: who may change it, and what was changed by which key.
//!
//! Stamp, precondition and the verb's rules are checked and the whole state file is replaced under one lock, so a
//! mutation is accepted at one instant (the rename) or not at all. Nothing else happens here: the agent brings about
//! what was accepted, and can be asked to again and again.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};

use hotfix_core::model::{Drift, IdempotencyKey, Precondition, ReadyInstances, Stamp, Verb};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::durable::{self, ReplaceError};
use crate::error::LocalError;
use crate::layout::TargetFolder;
use crate::lock::{Lock, LockError};
use crate::state::{AppliedKey, Change, FORMAT, RECENT_KEYS, TargetState, Write};
use crate::transition::{self, Refusal};

/// A request to change a target.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) key: IdempotencyKey,
    pub(crate) stamp: Stamp,
    pub(crate) verb: Verb,
    pub(crate) precondition: Precondition,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Accepted now, or by an earlier request with the same key; the agent brings it about as this generation.
    Accepted {
        generation: u64,
        receipt: String,
    },
    Fenced(Stamp),
    Drifted(Drift),
    Refused(Refusal),
    /// The key names another effect.
    KeyReused,
}

/// What became of a seal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SealVerdict {
    Sealed { previous: Stamp },
    Overtaken { current: Stamp },
}

/// Why nothing can be said, or not for sure.
#[derive(Debug)]
pub(crate) enum LedgerError {
    /// Surely nothing changed.
    NotWritten(LocalError),
    /// The change may be lost by a power failure.
    Unsure(LocalError),
}

impl From<LocalError> for LedgerError {
    fn from(error: LocalError) -> Self {
        Self::NotWritten(error)
    }
}

/// Reads the state without the lock: it is replaced in one step, so what is read is always whole.
pub(crate) fn load(folder: &TargetFolder) -> Result<Option<TargetState>, LocalError> {
    let path = folder.state();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(LocalError::Io { action: "read", path, source });
        }
    };
    let corrupt = |reason: String| LocalError::Corrupt { path: path.clone(), reason };
    let state: TargetState = serde_json::from_str(&text).map_err(|error| corrupt(error.to_string()))?;
    match state.format {
        FORMAT => Ok(Some(state)),
        other => Err(corrupt(format!("its format is {other}, this version writes {FORMAT}"))),
    }
}

/// Finds what a key did, in the state or, when it is long ago, in the write log.
pub(crate) fn find_key(
    folder: &TargetFolder,
    state: &TargetState,
    key: &IdempotencyKey,
) -> Result<Option<AppliedKey>, LocalError> {
    if let Some(applied) = state.recent.iter().find(|applied| applied.key == *key) {
        return Ok(Some(applied.clone()));
    }
    if state.recent.len() < RECENT_KEYS {
        return Ok(None);
    }
    let found = writes(folder)?.into_iter().rev().find_map(|write| match write.change {
        Change::Applied { key: applied, digest, receipt, verb } if applied == *key => Some(AppliedKey {
            key: applied,
            digest,
            verb: verb.name(),
            stamp: write.stamp,
            generation: write.after.generation,
            receipt,
        }),
        _ => None,
    });
    Ok(found)
}

/// Reads the write log, a last line that a crash kept out of it included.
pub(crate) fn writes(folder: &TargetFolder) -> Result<Vec<Write>, LocalError> {
    let path = folder.writes();
    let mut writes = Vec::new();
    if path.exists() {
        let file = File::open(&path).map_err(LocalError::io("read", &path))?;
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(LocalError::io("read", &path))?;
            match serde_json::from_slice(&line) {
                Ok(write) => writes.push(write),
                // A torn last line is the work of a crash; the entry itself is in the state.
                Err(error) if error.is_eof() => {}
                Err(error) => {
                    return Err(LocalError::Corrupt { path, reason: error.to_string() });
                }
            }
        }
    }
    let logged = writes.last().map_or(0, |write: &Write| write.number);
    let last = load(folder)?.and_then(|state| state.last_write);
    writes.extend(last.filter(|write| write.number > logged));
    Ok(writes)
}

/// The right to change a target's state, held for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: TargetFolder,
    _lock: Lock,
}

impl Ledger {
    /// Waits for the right to change the target until `deadline`.
    pub(crate) async fn open(folder: TargetFolder, deadline: Instant) -> Result<Self, LockError> {
        let lock = Lock::take(&folder.state_lock(), deadline).await?;
        Ok(Self { folder, _lock: lock })
    }

    /// Writes the first state of a target, if there is none yet.
    pub(crate) fn create(&self, state: &TargetState) -> Result<(), LedgerError> {
        if load(&self.folder)?.is_some() { Ok(()) } else { self.write(state) }
    }

    /// Decides on a request and, when it is accepted, makes it durable.
    pub(crate) fn apply(&self, request: &Request, ready: &ReadyInstances) -> Result<Verdict, LedgerError> {
        let state = self.state()?;
        let digest = digest(request);
        if let Some(applied) = find_key(&self.folder, &state, &request.key)? {
            return self.repeat(&state, request, &digest, applied);
        }
        if request.stamp <= state.fence {
            return Ok(Verdict::Fenced(state.fence));
        }
        if let Err(drift) = transition::holds(&state.desired, &request.precondition) {
            return Ok(Verdict::Drifted(drift));
        }
        let after = match transition::after(&state.desired, &request.verb, ready) {
            Ok(after) => after,
            Err(refusal) => return Ok(Verdict::Refused(refusal)),
        };
        let receipt = format!("{} (generation {})", request.verb, state.desired.generation + 1);
        let change = Change::Applied {
            key: request.key.clone(),
            digest,
            receipt: receipt.clone(),
            verb: Box::new(request.verb.clone()),
        };
        let next = state.accept(request.stamp, change, after);
        self.commit(&state, &next)?;
        Ok(Verdict::Accepted { generation: next.desired.generation, receipt })
    }

    /// Raises the fence to `stamp`.
    pub(crate) fn seal(&self, stamp: Stamp) -> Result<SealVerdict, LedgerError> {
        let state = self.state()?;
        if stamp < state.fence {
            return Ok(SealVerdict::Overtaken { current: state.fence });
        }
        if stamp == state.fence {
            let was_seal = state.last_write.as_ref().is_some_and(|write| write.change == Change::Sealed);
            let previous = if was_seal { state.before_seal } else { state.fence };
            return Ok(SealVerdict::Sealed { previous });
        }
        self.commit(&state, &state.accept(stamp, Change::Sealed, state.desired.clone()))?;
        Ok(SealVerdict::Sealed { previous: state.fence })
    }

    fn repeat(
        &self,
        state: &TargetState,
        request: &Request,
        digest: &str,
        applied: AppliedKey,
    ) -> Result<Verdict, LedgerError> {
        if applied.digest != digest {
            return Ok(Verdict::KeyReused);
        }
        // Its own stamp again is only good while nothing, not even a seal, came after it.
        let still_newest = request.stamp == state.fence && applied.stamp == state.fence;
        if request.stamp <= state.fence && !still_newest {
            return Ok(Verdict::Fenced(state.fence));
        }
        if request.stamp > state.fence {
            let change = Change::Repeated { key: applied.key };
            self.commit(state, &state.accept(request.stamp, change, state.desired.clone()))?;
        }
        Ok(Verdict::Accepted { generation: applied.generation, receipt: applied.receipt })
    }

    fn state(&self) -> Result<TargetState, LocalError> {
        load(&self.folder)?.ok_or_else(|| {
            let path = self.folder.state();
            LocalError::Io { action: "find", path, source: io::ErrorKind::NotFound.into() }
        })
    }

    /// The rename of the state file is the moment of acceptance. The log follows it and never runs ahead of it.
    fn commit(&self, current: &TargetState, next: &TargetState) -> Result<(), LedgerError> {
        self.log_is_complete(current)?;
        self.write(next)?;
        if let Err(error) = self.log_is_complete(next) {
            tracing::warn!(%error, "the write log is one line behind; the next mutation adds it");
        }
        Ok(())
    }

    fn log_is_complete(&self, state: &TargetState) -> Result<(), LocalError> {
        let Some(write) = &state.last_write else {
            return Ok(());
        };
        let path = self.folder.writes();
        let corrupt =
            |error: serde_json::Error| LocalError::Corrupt { path: path.clone(), reason: error.to_string() };
        let last = durable::last_line(&path).map_err(LocalError::io("read", &path))?;
        let logged: Option<Write> =
            last.map(|line| serde_json::from_str(&line)).transpose().map_err(corrupt)?;
        if logged.is_some_and(|logged| logged.number >= write.number) {
            return Ok(());
        }
        let line = serde_json::to_string(write).map_err(corrupt)?;
        durable::append_line(&path, &line).map_err(LocalError::io("append to", &path))
    }

    fn write(&self, state: &TargetState) -> Result<(), LedgerError> {
        let path = self.folder.state();
        let text = serde_json::to_vec_pretty(state)
            .map_err(|error| LocalError::Corrupt { path: path.clone(), reason: error.to_string() })?;
        durable::replace(&path, &text).map_err(|error| match error {
            ReplaceError::Kept(source) => LedgerError::NotWritten(LocalError::io("write", &path)(source)),
            ReplaceError::Unsure(source) => LedgerError::Unsure(LocalError::io("sync", &path)(source)),
        })
    }
}

/// Names an effect by its content.
fn digest(request: &Request) -> String {
    let content = serde_json::json!([request.verb, request.precondition]).to_string();
    Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
