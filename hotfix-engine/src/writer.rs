//! Committing a record together with everything that must be true with it: timeline, postings, known good releases.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::communicate::{narrate, postings, silencing};
use hotfix_core::execute::{Outcome, Record, Run};
use hotfix_core::model::{IncidentId, Target, Timestamp};
use hotfix_core::plan::{Baseline, Finding, Plan};
use hotfix_core::port::{Append, Appended, Basis, KnownGood, RunState};
use hotfix_core::request::Goal;
use hotfix_core::{ErrorKind, RetryClass};
use tokio::sync::watch;

use crate::EngineError;
use crate::backends::Backends;
use crate::news::News;
use crate::outbox::Bell;

/// How long a store may be unable to write before the driver gives the run up for somebody else to resume.
const PATIENCE: u32 = 60;

/// Writes the journal of one run.
#[derive(Debug)]
pub(crate) struct Writer {
    ports: Arc<Backends>,
    incident: IncidentId,
    /// Tells followers how far the run is.
    pub(crate) news: Arc<watch::Sender<News>>,
    /// Tells the outbox that there is something to deliver.
    outbox: Bell,
}

impl Writer {
    pub(crate) fn new(ports: Arc<Backends>, entries: u64, incident: IncidentId, outbox: Bell) -> Self {
        Self { ports, incident, news: Arc::new(watch::Sender::new(News::new(entries))), outbox }
    }

    /// Commits a record. A store that cannot write now is tried again: nothing is sent meanwhile, so waiting is safe.
    ///
    /// Repeating is safe too, because the sequence number is the key: an append whose answer was lost is recognised.
    pub(crate) async fn append(
        &self,
        run: &Run,
        epoch: u64,
        record: &Record,
        at: Timestamp,
    ) -> Result<Appended, EngineError> {
        let append = self.prepare(run, epoch, record, at)?;
        let entries = append.seq + 1;
        let mut pause = Duration::from_millis(50);
        let mut tries = 0;
        let appended = loop {
            tries += 1;
            match self.ports.store.append(append.clone()).await {
                Ok(appended) => break appended,
                Err(error) if tries < PATIENCE && is_passing(&error) => {
                    tracing::error!(run = %run.run(), %error, tries, "the journal cannot be written; nothing is sent");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(error.into()),
            }
        };
        if appended == Appended::Written {
            self.news.send_modify(|news| news.entries = entries);
            self.outbox.ring();
        }
        Ok(appended)
    }

    fn prepare(&self, run: &Run, epoch: u64, record: &Record, at: Timestamp) -> Result<Append, EngineError> {
        let codec = |source| EngineError::Codec { run: run.run().clone(), entry: run.entries(), source };
        let journal = |source| EngineError::Journal { run: run.run().clone(), source };
        let body = record.encode().map_err(codec)?;
        let before = run.phase();
        let mut after = run.clone();
        after.apply(record).map_err(journal)?;
        let narration = narrate(record, &after, at);
        let mut told = narration
            .message
            .map(|message| postings(record, message, &after, before, &self.incident))
            .unwrap_or_default();
        told.extend(silencing(Some(run), &after, at, &self.incident));
        Ok(Append {
            run: run.run().clone(),
            epoch,
            seq: run.entries(),
            body,
            state: state_of(record, &after),
            timeline: narration.timeline.into_iter().collect(),
            postings: self.ports.addressed(&told),
            known_good: known_good(record, &after, at),
        })
    }
}

fn state_of(record: &Record, after: &Run) -> RunState {
    match record {
        Record::Terminal(_) => RunState::Ended,
        _ if after.quarantined().is_some() => RunState::Quarantined,
        _ => RunState::Active,
    }
}

/// A release is known to be good when the run that deployed it succeeded, on every workload that the run changed. So is
/// what it replaced, if that came from nowhere and was well: without it there would be no way back from the first run.
/// What a run went back from is known not to be.
fn known_good(record: &Record, run: &Run, at: Timestamp) -> Vec<KnownGood> {
    let Record::Terminal(Outcome::Succeeded { release: Some(release) }) = record else { return Vec::new() };
    let plan = run.plan();
    let served =
        plan.baselines().iter().filter(|baseline| came_from_nowhere(plan, baseline)).map(|baseline| {
            KnownGood {
                target: baseline.target.clone(),
                release: baseline.snapshot.release.clone(),
                at: plan.made_at(),
                basis: Basis::Served,
            }
        });
    let proven = plan.baselines().iter().map(|baseline| KnownGood {
        target: baseline.target.clone(),
        release: release.clone(),
        at,
        basis: Basis::Proven,
    });
    let goes_back = matches!(plan.request().goal, Goal::Rollback { .. });
    let left = plan
        .baselines()
        .iter()
        .filter(|baseline| goes_back && baseline.snapshot.release.artifact != release.artifact);
    let withdrawn = left.map(|baseline| KnownGood {
        target: baseline.target.clone(),
        release: baseline.snapshot.release.clone(),
        at,
        basis: Basis::Withdrawn,
    });
    served.chain(withdrawn).chain(proven).collect()
}

/// Returns whether the planner found that a baseline was well and that no run had proven it.
fn came_from_nowhere(plan: &Plan, baseline: &Baseline) -> bool {
    let at = |target: &Target| *target == baseline.target;
    let findings = &plan.report().findings;
    let is_new = findings.iter().any(|found| matches!(found, Finding::FirstUse { target, .. } if at(target)));
    let is_short =
        findings.iter().any(|found| matches!(found, Finding::BaselineShort { target, .. } if at(target)));
    is_new && !is_short
}

fn is_passing(error: &hotfix_core::Error) -> bool {
    error.retry() == RetryClass::Later || error.kind() == ErrorKind::Full
}
