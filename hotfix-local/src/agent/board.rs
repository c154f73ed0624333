//! What a target's task shows to everybody else, so that nobody has to ask the task itself.

use std::sync::Arc;

use hotfix_core::model::{Fault, SlotName, Target};
use tokio::sync::{Notify, watch};

use super::history::History;
use super::report::{FAULTS_KEPT, NumberedFault, Report};
use super::series::SeriesList;

/// The public side of one target.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) target: Target,
    pub(crate) series: SeriesList,
    pub(crate) history: History,
    /// Makes the task look at the wishes at once.
    pub(crate) nudge: Notify,
    report: watch::Sender<Arc<Report>>,
}

impl Board {
    pub(crate) fn new(target: Target) -> Self {
        let report = watch::Sender::new(Arc::default());
        Self {
            target,
            series: SeriesList::default(),
            history: History::default(),
            nudge: Notify::new(),
            report,
        }
    }

    pub(crate) fn report(&self) -> Arc<Report> {
        Arc::clone(&self.report.borrow())
    }

    /// Follows the report: only the newest one is kept, so a slow reader holds up nobody.
    pub(crate) fn reports(&self) -> watch::Receiver<Arc<Report>> {
        self.report.subscribe()
    }

    /// Changes the report; readers are woken only when something in it changed.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut Report)) {
        self.report.send_if_modified(|current| {
            let mut next = Report::clone(current);
            change(&mut next);
            if next == **current {
                return false;
            }
            next.version += 1;
            *current = Arc::new(next);
            true
        });
    }

    /// Adds a fault to the report.
    pub(crate) fn tell(&self, slot: SlotName, fault: Fault) {
        self.publish(|report| {
            let number = report.faults.back().map_or(1, |last| last.number + 1);
            if report.faults.len() == FAULTS_KEPT {
                report.faults.pop_front();
            }
            report.faults.push_back(NumberedFault { number, slot, fault });
        });
    }
}
