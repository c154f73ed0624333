//! Progress as a stream that never loses an entry: it reads the journal and only uses notifications to know when, and what
//! happened in between.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::communicate::Progress;
use hotfix_core::execute::{Course, Record, Run};
use hotfix_core::model::RunId;
use hotfix_core::port::{BoxStream, IncidentStore};
use tokio::sync::watch;

use crate::news::News;
use crate::{EngineError, journal};

/// How often the journal of a run is read that another process drives.
const POLL: Duration = Duration::from_millis(500);

/// A stream of what happens in a run. Each item carries the cursor to go on from.
pub type ProgressStream = BoxStream<Result<Progress, EngineError>>;

/// Follows a run from the journal entry `from` to its end. `news` tells when this process wrote an entry; without it the
/// journal is read at intervals.
pub(crate) fn follow(
    store: Arc<dyn IncidentStore>,
    run: RunId,
    from: u64,
    news: Option<watch::Receiver<News>>,
) -> ProgressStream {
    // What came before `from` was heard by whoever goes on there.
    let heard = news.as_ref().filter(|_| from > 0).map_or(0, |news| news.borrow().count_before(from));
    let reader = Reader { store, run, next: 0, state: None, news, heard, pending: Vec::new().into_iter() };
    Box::pin(futures_util::stream::unfold(Some(reader), move |reader| async move {
        let mut reader = reader?;
        loop {
            match reader.next().await {
                Ok(Some(Told::Journaled(progress))) if progress.seq < from => {}
                Ok(Some(Told::Journaled(progress) | Told::Passing(progress))) => {
                    return Some((Ok(progress), Some(reader)));
                }
                Ok(None) => return None,
                Err(error) => return Some((Err(error), None)),
            }
        }
    }))
}

struct Reader {
    store: Arc<dyn IncidentStore>,
    run: RunId,
    next: u64,
    state: Option<Run>,
    news: Option<watch::Receiver<News>>,
    /// How much of what is not journaled was told.
    heard: usize,
    pending: std::vec::IntoIter<hotfix_core::port::JournalEntry>,
}

/// What there is to tell.
enum Told {
    Journaled(Progress),
    Passing(Progress),
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Told>, EngineError> {
        loop {
            if let Some(passing) = self.passing() {
                self.heard += 1;
                return Ok(Some(Told::Passing(passing)));
            }
            if let Some(entry) = self.pending.next() {
                return self.take(entry).map(Told::Journaled).map(Some);
            }
            if matches!(self.state.as_ref().map(Run::course), Some(Course::Ended(_))) {
                return Ok(None);
            }
            let entries = self.store.journal(&self.run, self.next).await?;
            if entries.is_empty() {
                self.wait().await;
            }
            self.pending = entries.into_iter();
        }
    }

    /// What is not journaled and comes before the next entry.
    fn passing(&self) -> Option<Progress> {
        self.news.as_ref()?.borrow().before(self.heard, self.next)
    }

    fn take(&mut self, entry: hotfix_core::port::JournalEntry) -> Result<Progress, EngineError> {
        let seq = entry.seq;
        let entry = journal::decode(&self.run, entry)?;
        let failed = |source| EngineError::Journal { run: self.run.clone(), source };
        let state = match (&mut self.state, &entry.record) {
            (Some(state), record) => {
                state.apply(record).map_err(failed)?;
                state
            }
            (state, Record::Planned(planned)) => state.insert(Run::begin(planned, entry.epoch)),
            (None, _) => return Err(failed(hotfix_core::execute::JournalError::NoPlan)),
        };
        self.next = seq + 1;
        Ok(Progress::of(seq, entry.at, &entry.record, state))
    }

    async fn wait(&mut self) {
        let (next, heard) = (self.next, self.heard);
        if let Some(news) = &mut self.news {
            let is_more = |news: &News| news.entries > next || news.before(heard, next).is_some();
            if news.wait_for(is_more).await.is_ok() {
                return;
            }
            // The driver is gone; another one may go on.
            self.news = None;
        }
        tokio::time::sleep(POLL).await;
    }
}
