//! Reading a journal back: decode each entry, fold them all.

use hotfix_core::execute::{Record, Run};
use hotfix_core::model::RunId;
use hotfix_core::port::{IncidentStore, JournalEntry};
use hotfix_core::postmortem::Entry;

use crate::EngineError;

/// Reads the whole journal of a run.
pub(crate) async fn read(store: &dyn IncidentStore, run: &RunId) -> Result<Vec<Entry>, EngineError> {
    let entries = store.journal(run, 0).await?;
    entries.into_iter().map(|entry| decode(run, entry)).collect()
}

/// Folds a whole journal.
pub(crate) fn fold(run: &RunId, entries: &[Entry]) -> Result<Run, EngineError> {
    Run::fold(entries.iter().map(|entry| (entry.epoch, &entry.record)))
        .map_err(|source| EngineError::Journal { run: run.clone(), source })
}

pub(crate) fn decode(run: &RunId, entry: JournalEntry) -> Result<Entry, EngineError> {
    let JournalEntry { seq, epoch, at, body } = entry;
    match Record::decode(&body) {
        Ok(record) => Ok(Entry { epoch, at, record }),
        Err(source) => Err(EngineError::Codec { run: run.clone(), entry: seq, source }),
    }
}
