//! The engine: plan, start, resume, cancel, follow.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hotfix_core::communicate::{narrate, postings, silencing};
use hotfix_core::execute::{self, Record, Run};
use hotfix_core::model::{Incident, IncidentId, Phase, RunId, WorkerName};
use hotfix_core::observe::Snapshot;
use hotfix_core::plan::{self, Plan, Planned};
use hotfix_core::policy::Policy;
use hotfix_core::port::{
    NewIncident, NewRun, Opened, OutboxItem, RunFilter, RunState, RunSummary, Signal, SignalEntry, TakenOver,
};
use hotfix_core::postmortem::postmortem;
use hotfix_core::request::Request;

use crate::backends::Backends;
use crate::driven::{Driven, DrivenRuns};
use crate::driver::{Driver, Parts};
use crate::handle::Driving;
use crate::outbox::Outbox;
use crate::progress::{self, ProgressStream};
use crate::signals::{Mailbox, Poller};
use crate::writer::Writer;
use crate::{EngineBuilder, EngineError, FollowUps, RunHandle, follow, journal, observe};

/// Plans hotfixes and drives them to an end, whatever happens to the process meanwhile.
///
/// Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ports: Arc<Backends>,
    pub(crate) policy: Policy,
    worker: WorkerName,
    outbox: Outbox,
    poller: Arc<Poller>,
    driven: DrivenRuns,
    pub(crate) follow_ups: FollowUps,
    /// Ended runs that were looked at for what should follow them.
    pub(crate) looked_at: Mutex<BTreeSet<RunId>>,
}

impl Engine {
    /// Begins to build an engine.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    pub(crate) fn new(backends: Backends, policy: Policy, worker: WorkerName, follow_ups: FollowUps) -> Self {
        let ports = Arc::new(backends);
        let (outbox, driven) = (Outbox::start(&ports), DrivenRuns::default());
        let poller = Arc::new(Poller::start(Arc::clone(&ports.store), driven.clone()));
        Self {
            shared: Arc::new(Shared {
                ports,
                policy,
                worker,
                outbox,
                poller,
                driven,
                follow_ups,
                looked_at: Mutex::default(),
            }),
        }
    }

    /// Observes and plans. Changes nothing that anybody can see.
    ///
    /// # Errors
    /// [`EngineError::Refused`] with every reason why not.
    pub async fn plan(&self, request: &Request) -> Result<Planned, EngineError> {
        let snapshot = self.observe(request).await;
        Ok(plan::plan(request, &snapshot, &self.shared.policy)?)
    }

    /// Reads what a plan for the request would be made of.
    pub async fn observe(&self, request: &Request) -> Snapshot {
        observe::observe(&self.shared.ports, request, &self.shared.policy).await
    }

    /// Starts a plan: claims its targets, commits it, opens or joins the incident, and drives it.
    ///
    /// # Errors
    /// [`EngineError::Busy`] when another run is active on a target; [`EngineError::Unsafe`] when the plan breaks a
    /// safety rule; [`EngineError::Port`] when the store cannot commit it.
    pub async fn start(&self, plan: Plan) -> Result<RunHandle, EngineError> {
        let run = RunId::new(self.shared.ports.ids.fresh("run"))?;
        self.start_as(run, plan).await
    }

    /// Starts a plan under a name that is given.
    pub(crate) async fn start_as(&self, run: RunId, plan: Plan) -> Result<RunHandle, EngineError> {
        plan::check(&plan).map_err(EngineError::Unsafe)?;
        let Shared { ports, worker, .. } = &*self.shared;
        let now = ports.clock.now();
        let request = plan.request().clone();
        let (claims, ttl) = (plan.claims(), plan.execution().lease);
        let planned = execute::Planned { run, plan, worker: worker.clone(), at: now };
        let run = Run::begin(&planned, 0);
        let incident = NewIncident {
            id: IncidentId::new(ports.ids.fresh("incident"))?,
            issue: request.issue,
            title: request.title,
            severity: request.severity,
        };
        let record = Record::Planned(Box::new(planned.clone()));
        let told = narrate(&record, &run, now);
        let mut posted = told
            .message
            .map(|message| postings(&record, message, &run, Phase::Started, &incident.id))
            .unwrap_or_default();
        posted.extend(silencing(None, &run, now, &incident.id));
        let body = record.encode().map_err(|source| EngineError::Codec {
            run: run.run().clone(),
            entry: 0,
            source,
        })?;
        let new = NewRun {
            run: planned.run.clone(),
            worker: worker.clone(),
            claims,
            ttl,
            epoch_above: 0,
            incident,
            body,
            timeline: told.timeline.into_iter().collect(),
            postings: ports.addressed(&posted),
        };
        match ports.store.open_run(new).await? {
            Opened::Busy(claim) => Err(EngineError::Busy(claim)),
            Opened::Claimed { lease, incident } => {
                tracing::info!(run = %planned.run, %incident, epoch = lease.epoch, "run opened");
                Ok(self.drive(Run::begin(&planned, lease.epoch), incident, lease.epoch, Vec::new()))
            }
        }
    }

    /// Takes over one run and drives it on.
    ///
    /// # Errors
    /// [`EngineError::Driven`] while another worker's lease lasts; [`EngineError::Ended`]; [`EngineError::Codec`] and
    /// [`EngineError::Journal`] when the journal cannot be read, for instance because a newer version wrote it.
    pub async fn resume(&self, run: &RunId) -> Result<RunHandle, EngineError> {
        let incident = self.summary(run).await?.incident;
        self.resume_for(run, incident).await
    }

    async fn resume_for(&self, run: &RunId, incident: IncidentId) -> Result<RunHandle, EngineError> {
        let Shared { ports, worker, .. } = &*self.shared;
        // Read first: a journal that this version cannot read stays with whoever can.
        let entries = journal::read(&*ports.store, run).await?;
        let ttl = journal::fold(run, &entries)?.plan().execution().lease;
        let lease = match ports.store.take_over(run, worker, ttl, 0).await? {
            TakenOver::Owned(lease) => lease,
            TakenOver::Busy(claim) => return Err(EngineError::Driven(claim)),
            TakenOver::Ended => return Err(EngineError::Ended { run: run.clone() }),
        };
        // Read again: the former owner may have written until the takeover.
        let entries = journal::read(&*ports.store, run).await?;
        let state = journal::fold(run, &entries)?;
        let samples = entries.into_iter().filter_map(|entry| match entry.record {
            Record::Sampled { step, sample } => Some((step, sample)),
            _ => None,
        });
        tracing::info!(%run, epoch = lease.epoch, "run taken over");
        Ok(self.drive(state, incident, lease.epoch, samples.collect()))
    }

    /// Takes up every run that an earlier process left, those that need a human first. Runs that another worker drives
    /// are left alone. Begins what should follow runs that ended a short while ago, if nobody has yet.
    ///
    /// # Errors
    /// [`EngineError::Port`] when the store cannot be read. A single run that cannot be resumed is logged and left.
    pub async fn resume_all(&self) -> Result<Vec<RunHandle>, EngineError> {
        let all = self.runs(RunFilter::All).await?;
        let followed = self.follow_those_that_ended(&all).await;
        let mut open = all;
        open.retain(|run| run.state != RunState::Ended && self.shared.driven.get(&run.run).is_none());
        open.sort_by_key(|run| run.state != RunState::Quarantined);
        let mut handles = Vec::new();
        for RunSummary { run, incident, .. } in open {
            match self.resume_for(&run, incident).await {
                Ok(handle) => handles.push(handle),
                Err(EngineError::Driven(_) | EngineError::Ended { .. }) => {}
                Err(error) => tracing::error!(%run, %error, "the run cannot be resumed"),
            }
        }
        handles.extend(followed);
        Ok(handles)
    }

    /// Asks a run to stop, wherever it is driven. Before any deploy it ends cancelled, after one it rolls back; beyond
    /// the point of no return it goes on.
    ///
    /// # Errors
    /// [`EngineError::Port`] when the run is not known or has ended.
    pub async fn cancel(&self, run: &RunId, by: &str, reason: &str) -> Result<(), EngineError> {
        self.say(run, by, Signal::Cancel { reason: reason.to_owned() }).await
    }

    /// Agrees to what a run asks for before it changes anything. A run that does not ask takes no notice.
    ///
    /// # Errors
    /// [`EngineError::Port`] when the run is not known or has ended.
    pub async fn approve(&self, run: &RunId, by: &str) -> Result<(), EngineError> {
        self.say(run, by, Signal::Approve).await
    }

    /// Asks a run to go to all of the traffic at once: the shares that were to come before are left out. The look at all
    /// of the traffic stays, and what was seen so far counts in it, so nothing succeeds without a verdict. A run that
    /// has no share ahead takes no notice.
    ///
    /// # Errors
    /// [`EngineError::Port`] when the run is not known or has ended.
    pub async fn hasten(&self, run: &RunId, by: &str, reason: &str) -> Result<(), EngineError> {
        self.say(run, by, Signal::Hasten { reason: reason.to_owned() }).await
    }

    async fn say(&self, run: &RunId, by: &str, signal: Signal) -> Result<(), EngineError> {
        let ports = &self.shared.ports;
        let entry =
            SignalEntry { id: ports.ids.fresh("signal"), signal, by: by.to_owned(), at: ports.clock.now() };
        ports.store.signal(run, entry).await?;
        self.shared.poller.ring();
        Ok(())
    }

    /// Follows a run from a journal entry on, wherever it is driven. Use the cursor of the last [`Progress`] plus one
    /// to go on where you were. What is not journaled is told from now on, if this process drives the run.
    ///
    /// [`Progress`]: hotfix_core::communicate::Progress
    #[must_use]
    pub fn watch(&self, run: &RunId, from: u64) -> ProgressStream {
        let news = self.shared.driven.get(run).map(|driven| driven.news);
        progress::follow(Arc::clone(&self.shared.ports.store), run.clone(), from, news)
    }

    /// Lists runs, oldest first.
    ///
    /// # Errors
    /// [`EngineError::Port`].
    pub async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>, EngineError> {
        Ok(self.shared.ports.store.runs(filter).await?)
    }

    async fn summary(&self, run: &RunId) -> Result<RunSummary, EngineError> {
        let all = self.runs(RunFilter::All).await?;
        all.into_iter()
            .find(|summary| summary.run == *run)
            .ok_or_else(|| EngineError::Unknown { run: run.clone() })
    }

    /// Reads the present state of a run.
    ///
    /// # Errors
    /// [`EngineError::Port`], [`EngineError::Codec`], [`EngineError::Journal`].
    pub async fn state(&self, run: &RunId) -> Result<Run, EngineError> {
        let entries = journal::read(&*self.shared.ports.store, run).await?;
        journal::fold(run, &entries)
    }

    /// Renders the postmortem of a run, in Markdown.
    ///
    /// # Errors
    /// As [`Engine::state`].
    pub async fn postmortem(&self, run: &RunId) -> Result<String, EngineError> {
        let store = &self.shared.ports.store;
        let entries = journal::read(&**store, run).await?;
        let incident = self.incident(&self.summary(run).await?.incident).await?;
        postmortem(&incident, &entries).map_err(|source| EngineError::Journal { run: run.clone(), source })
    }

    /// Reads an incident.
    ///
    /// # Errors
    /// [`EngineError::Port`].
    pub async fn incident(&self, id: &IncidentId) -> Result<Incident, EngineError> {
        Ok(self.shared.ports.store.incident(id).await?)
    }

    /// Lists messages that have not arrived.
    ///
    /// # Errors
    /// [`EngineError::Port`].
    pub async fn undelivered(&self) -> Result<Vec<OutboxItem>, EngineError> {
        Ok(self.shared.ports.store.undelivered().await?)
    }

    /// Waits until the outbox has nothing left that can be delivered now. Nothing else ever waits for it.
    pub async fn flush(&self) {
        self.shared.outbox.flush().await;
    }

    fn drive(
        &self,
        run: Run,
        incident: IncidentId,
        epoch: u64,
        samples: Vec<(plan::StepId, hotfix_core::model::Sample)>,
    ) -> RunHandle {
        let Shared { ports, worker, outbox, poller, driven, follow_ups, .. } = &*self.shared;
        let follow_ups = *follow_ups;
        let (id, mailbox) = (run.run().clone(), Arc::new(Mailbox::after(run.signals())));
        let writer = Writer::new(Arc::clone(ports), run.entries(), incident.clone(), outbox.bell());
        outbox.bell().ring();
        let news = writer.news.subscribe();
        let progress = progress::follow(Arc::clone(&ports.store), id.clone(), 0, Some(news.clone()));
        let forget = driven.add(&id, Driven { news, mailbox: Arc::clone(&mailbox) });
        poller.ring();
        let driver =
            Driver::new(Arc::clone(ports), worker.clone(), run, epoch, Parts { writer, mailbox, samples });
        let (ended, shared, of) = (forget.clone(), Arc::downgrade(&self.shared), id.clone());
        // A run hears signals for as long as it is driven, whoever still holds the engine.
        let poller = Arc::clone(poller);
        let driver = tokio::spawn(async move {
            let end = driver.drive().await;
            drop(poller);
            drop(ended);
            if end.is_ok() && follow_ups == FollowUps::Begin {
                // Whoever waits for the end does not wait for what follows.
                tokio::spawn(follow::follow(shared, of));
            }
            end
        });
        RunHandle::new(id, incident, progress, Driving { task: driver, forget })
    }
}
