//! Runs with their claims, journals and signals, and the incidents they belong to.

use std::collections::BTreeMap;

use super::outbox::Outbox;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Fenced, Incident, IncidentId, IncidentStatus, Period, RunId, Target, TimelineEvent, Timestamp, WorkerName,
};
use crate::port::{
    Append, Appended, Claim, JournalEntry, KnownGood, Lease, NewIncident, NewRun, Opened, Posting, Renewed,
    RunFilter, RunState, RunSummary, SignalEntry, TakenOver,
};

/// Everything the store knows.
#[derive(Default)]
pub(super) struct Books {
    /// In the order of opening.
    runs: Vec<Run>,
    /// The highest epoch ever given out, by target.
    epochs: BTreeMap<Fenced, u64>,
    files: BTreeMap<IncidentId, IncidentFile>,
    pub(super) known_good: BTreeMap<Target, Vec<KnownGood>>,
    pub(super) outbox: Outbox,
}

pub(super) struct Run {
    id: RunId,
    state: RunState,
    holder: WorkerName,
    epoch: u64,
    claims: Vec<Fenced>,
    incident: IncidentId,
    opened_at: Timestamp,
    expires_at: Timestamp,
    pub(super) journal: Vec<JournalEntry>,
    pub(super) signals: Vec<SignalEntry>,
}

pub(super) struct IncidentFile {
    pub(super) incident: Incident,
    pub(super) timeline: Vec<TimelineEvent>,
}

impl Run {
    fn next_seq(&self) -> u64 {
        self.journal.len() as u64
    }

    fn write(&mut self, body: String, at: Timestamp) {
        let (seq, epoch) = (self.next_seq(), self.epoch);
        self.journal.push(JournalEntry { seq, epoch, at, body });
    }

    fn owns(&self, target: &Fenced) -> bool {
        self.state != RunState::Ended && self.claims.contains(target)
    }

    fn claim(&self, target: &Fenced) -> Claim {
        Claim {
            target: target.clone(),
            run: self.id.clone(),
            holder: self.holder.clone(),
            since: self.opened_at,
            expires_at: self.expires_at,
        }
    }

    fn lease(&self) -> Lease {
        Lease { run: self.id.clone(), epoch: self.epoch, expires_at: self.expires_at }
    }

    fn summary(&self) -> RunSummary {
        RunSummary {
            run: self.id.clone(),
            state: self.state,
            holder: self.holder.clone(),
            epoch: self.epoch,
            claims: self.claims.clone(),
            incident: self.incident.clone(),
            opened_at: self.opened_at,
            expires_at: self.expires_at,
            entries: self.next_seq(),
        }
    }
}

impl Books {
    pub(super) fn open_run(&mut self, new: NewRun, now: Timestamp) -> Result<Opened> {
        const OPERATION: &str = "store.open_run";
        if self.run(OPERATION, &new.run).is_ok() {
            let error = Error::new(ErrorKind::AlreadyExists, OPERATION, "the run id was used before");
            return Err(error.with("run", &new.run));
        }
        check_claims(OPERATION, &new.claims)?;
        let busy = |target| Some(self.runs.iter().find(|run| run.owns(target))?.claim(target));
        if let Some(claim) = new.claims.iter().find_map(busy) {
            return Ok(Opened::Busy(claim));
        }
        let incident = self.join(OPERATION, new.incident, now)?;
        let epoch = self.next_epoch(&new.claims, new.epoch_above);
        let mut run = Run {
            id: new.run,
            state: RunState::Active,
            holder: new.worker,
            epoch,
            claims: new.claims,
            incident: incident.clone(),
            opened_at: now,
            expires_at: now + new.ttl.to_delta(),
            journal: Vec::new(),
            signals: Vec::new(),
        };
        run.write(new.body, now);
        let lease = run.lease();
        self.runs.push(run);
        self.tell(&incident, new.timeline, new.postings, now);
        Ok(Opened::Claimed { lease, incident })
    }

    /// Finds the open incident of the issue, or opens one.
    fn join(&mut self, operation: &'static str, new: NewIncident, now: Timestamp) -> Result<IncidentId> {
        let open = |file: &&IncidentFile| {
            file.incident.issue == new.issue && file.incident.status != IncidentStatus::Resolved
        };
        if let Some(file) = self.files.values().find(open) {
            return Ok(file.incident.id.clone());
        }
        if self.files.contains_key(&new.id) {
            let error = Error::new(ErrorKind::AlreadyExists, operation, "the incident id was used before");
            return Err(error.with("incident", &new.id));
        }
        let file = IncidentFile {
            incident: Incident {
                id: new.id.clone(),
                issue: new.issue,
                title: new.title,
                severity: new.severity,
                status: IncidentStatus::Declared,
                opened_at: now,
            },
            timeline: Vec::new(),
        };
        self.files.insert(new.id.clone(), file);
        Ok(new.id)
    }

    /// Raises the epoch of all targets above every epoch that one of them ever had, and above that one.
    fn next_epoch(&mut self, claims: &[Fenced], above: u64) -> u64 {
        let highest = claims.iter().filter_map(|target| self.epochs.get(target)).max();
        let epoch = highest.copied().unwrap_or(0).max(above) + 1;
        self.epochs.extend(claims.iter().map(|target| (target.clone(), epoch)));
        epoch
    }

    fn tell(
        &mut self,
        incident: &IncidentId,
        timeline: Vec<TimelineEvent>,
        postings: Vec<(String, Posting)>,
        now: Timestamp,
    ) {
        if let Some(file) = self.files.get_mut(incident) {
            for event in timeline {
                file.incident.status = event.status.unwrap_or(file.incident.status);
                file.timeline.push(event);
            }
        }
        for (destination, mut posting) in postings {
            posting.thread.incident = incident.clone();
            self.outbox.add(destination, posting, now);
        }
    }

    pub(super) fn append(&mut self, append: Append, now: Timestamp) -> Result<Appended> {
        let run = self.run_mut("store.append", &append.run)?;
        let there = run.journal.iter().find(|entry| entry.seq == append.seq);
        if there.is_some_and(|entry| entry.epoch == append.epoch && entry.body == append.body) {
            return Ok(Appended::Written);
        }
        let owned = run.state != RunState::Ended && run.epoch == append.epoch;
        if !owned || run.next_seq() != append.seq {
            return Ok(Appended::Lost { epoch: run.epoch });
        }
        run.write(append.body, now);
        run.state = append.state;
        let incident = run.incident.clone();
        for proven in append.known_good {
            let history = self.known_good.entry(proven.target.clone()).or_default();
            history.retain(|earlier| earlier.release.artifact != proven.release.artifact);
            history.insert(0, proven);
        }
        self.tell(&incident, append.timeline, append.postings, now);
        Ok(Appended::Written)
    }

    pub(super) fn renew(&mut self, run: &RunId, epoch: u64, until: Timestamp) -> Result<Renewed> {
        let run = self.run_mut("store.renew", run)?;
        if run.state == RunState::Ended || run.epoch != epoch {
            return Ok(Renewed::Lost { epoch: run.epoch });
        }
        run.expires_at = until;
        Ok(Renewed::Until(until))
    }

    pub(super) fn take_over(
        &mut self,
        run: &RunId,
        worker: &WorkerName,
        ttl: Period,
        above: u64,
        now: Timestamp,
    ) -> Result<TakenOver> {
        let held = self.run_mut("store.take_over", run)?;
        if held.state == RunState::Ended {
            return Ok(TakenOver::Ended);
        }
        let claims = held.claims.clone();
        if now < held.expires_at && held.holder != *worker {
            let target = claims.first().expect("a run claims at least one target");
            return Ok(TakenOver::Busy(held.claim(target)));
        }
        let epoch = self.next_epoch(&claims, above);
        let held = self.run_mut("store.take_over", run)?;
        held.epoch = epoch;
        held.holder = worker.clone();
        held.expires_at = now + ttl.to_delta();
        Ok(TakenOver::Owned(held.lease()))
    }

    pub(super) fn signal(&mut self, run: &RunId, signal: SignalEntry) -> Result<()> {
        const OPERATION: &str = "store.signal";
        let run = self.run_mut(OPERATION, run)?;
        if run.signals.iter().any(|there| there.id == signal.id) {
            return Ok(());
        }
        if run.state == RunState::Ended {
            let error = Error::new(ErrorKind::Conflict, OPERATION, "the run has ended");
            return Err(error.with("run", &run.id));
        }
        run.signals.push(signal);
        Ok(())
    }

    pub(super) fn summaries(&self, filter: RunFilter) -> Vec<RunSummary> {
        let wanted = |run: &&Run| match filter {
            RunFilter::All => true,
            RunFilter::Open => run.state != RunState::Ended,
        };
        self.runs.iter().filter(wanted).map(Run::summary).collect()
    }

    pub(super) fn run(&self, operation: &'static str, id: &RunId) -> Result<&Run> {
        let found = self.runs.iter().find(|run| run.id == *id);
        found.ok_or_else(|| unknown_run(operation, id))
    }

    fn run_mut(&mut self, operation: &'static str, id: &RunId) -> Result<&mut Run> {
        let found = self.runs.iter_mut().find(|run| run.id == *id);
        found.ok_or_else(|| unknown_run(operation, id))
    }

    pub(super) fn file(&self, operation: &'static str, id: &IncidentId) -> Result<&IncidentFile> {
        self.files.get(id).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, operation, "no incident has this id").with("incident", id)
        })
    }
}

fn unknown_run(operation: &'static str, id: &RunId) -> Error {
    Error::new(ErrorKind::NotFound, operation, "no run has this id").with("run", id)
}

/// A run that claims nothing, or one thing twice, is a defect of the caller.
fn check_claims(operation: &'static str, claims: &[Fenced]) -> Result<()> {
    let invalid = |message| Error::new(ErrorKind::Invalid, operation, message);
    let twice = claims.iter().enumerate().find(|(index, target)| claims[..*index].contains(target));
    match twice {
        Some((_, target)) => Err(invalid("a target is claimed twice; name it once").with("target", target)),
        None if claims.is_empty() => Err(invalid("no target is claimed; name at least one")),
        None => Ok(()),
    }
}
