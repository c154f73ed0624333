//! Which runs this process drives, and who takes them off that list.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hotfix_core::model::RunId;
use tokio::sync::watch;

use crate::news::News;
use crate::signals::Mailbox;

/// What others in this process may know of a run that is driven here.
#[derive(Debug, Clone)]
pub(crate) struct Driven {
    /// Tells how far it is.
    pub(crate) news: watch::Receiver<News>,
    /// Has its signals. Also names this driver among all that the run ever had.
    pub(crate) mailbox: Arc<Mailbox>,
}

/// The runs that are driven here. Clones share the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct DrivenRuns(Arc<Mutex<BTreeMap<RunId, Driven>>>);

impl DrivenRuns {
    pub(crate) fn get(&self, run: &RunId) -> Option<Driven> {
        self.list().get(run).cloned()
    }

    /// Puts a run on the list, in place of an earlier driver, until a guard of it is dropped.
    pub(crate) fn add(&self, run: &RunId, driven: Driven) -> Forget {
        let forget =
            Forget { list: self.clone(), run: run.clone(), mailbox: Some(Arc::clone(&driven.mailbox)) };
        self.list().insert(run.clone(), driven);
        forget
    }

    /// Returns where signals of each run go.
    pub(crate) fn mailboxes(&self) -> BTreeMap<RunId, Arc<Mailbox>> {
        self.list().iter().map(|(run, driven)| (run.clone(), Arc::clone(&driven.mailbox))).collect()
    }

    fn list(&self) -> MutexGuard<'_, BTreeMap<RunId, Driven>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a driver off the list when it is dropped, and never the driver that came after it.
#[derive(Debug, Clone)]
pub(crate) struct Forget {
    list: DrivenRuns,
    run: RunId,
    /// None when another guard takes it off.
    mailbox: Option<Arc<Mailbox>>,
}

impl Forget {
    /// Leaves the run on the list; another guard takes it off.
    pub(crate) fn leave(mut self) {
        self.mailbox = None;
    }
}

impl Drop for Forget {
    fn drop(&mut self) {
        let Some(mailbox) = &self.mailbox else { return };
        let mut list = self.list.list();
        if list.get(&self.run).is_some_and(|driven| Arc::ptr_eq(&driven.mailbox, mailbox)) {
            list.remove(&self.run);
        }
    }
}
