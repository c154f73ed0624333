//! The driver of one run: commits, sends, waits and feeds back. It decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use hotfix_core::execute::{Command, Course, Event, Machine, Outcome, Run, Stop};
use hotfix_core::model::{Timestamp, WorkerName};
use hotfix_core::port::{Appended, Call};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::backends::Backends;
use crate::gate::GateWatch;
use crate::lease::LeaseKeeper;
use crate::signals::Mailbox;
use crate::steady::Steady;
use crate::writer::Writer;
use crate::{EngineError, perform};

/// Everything one driver owns. Dropping it stops everything it started, like a crash.
pub(crate) struct Driver {
    pub(crate) ports: Arc<Backends>,
    pub(crate) worker: WorkerName,
    pub(crate) epoch: u64,
    pub(crate) writer: Writer,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) gates: GateWatch,
    machine: Machine,
    lease: LeaseKeeper,
    steady: Steady,
    wake: Option<Timestamp>,
    calls: JoinSet<Event>,
    /// Boxed, because a channel keeps room for 32 of them for as long as it lives.
    events: mpsc::Receiver<Box<Event>>,
}

impl Driver {
    /// Boxed, because the task that drives it would hold it several times over.
    pub(crate) fn new(
        ports: Arc<Backends>,
        worker: WorkerName,
        run: Run,
        epoch: u64,
        parts: Parts,
    ) -> Box<Self> {
        let (told, events) = mpsc::channel(16);
        let steady = Steady::start(&ports.clock);
        let ttl = run.plan().execution().lease;
        let store = Arc::clone(&ports.store);
        let lease = LeaseKeeper::start(store, run.run().clone(), epoch, ttl, ports.beat);
        let news = Arc::clone(&parts.writer.news);
        let gates = GateWatch::new(Arc::clone(&ports), told, steady, news, parts.samples);
        let (writer, machine) = (parts.writer, Machine::new(run));
        let calls = JoinSet::new();
        Box::new(Self {
            ports,
            worker,
            epoch,
            writer,
            mailbox: parts.mailbox,
            gates,
            machine,
            lease,
            steady,
            wake: None,
            calls,
            events,
        })
    }

    /// Drives the run to its end, or until somebody else owns it.
    pub(crate) async fn drive(mut self: Box<Self>) -> Result<Outcome, EngineError> {
        let resumed = Event::Resumed { worker: self.worker.clone(), epoch: self.epoch };
        let mut queue = VecDeque::from([resumed]);
        loop {
            let event = match queue.pop_front() {
                Some(event) => event,
                None => self.wait().await?,
            };
            for command in self.machine.step(event, self.steady.now()) {
                match command {
                    Command::Stop(stop) => return self.stopped(stop),
                    // A run waits most of its life: what it takes to obey is not kept meanwhile.
                    command => queue.extend(Box::pin(self.obey(command)).await?),
                }
            }
        }
    }

    /// Waits for the next thing to happen.
    async fn wait(&mut self) -> Result<Event, EngineError> {
        let wake = self.wake.map(|at| self.steady.instant(at));
        let alarm = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.lease.lost() => Ok(Event::LeaseLost),
            Some(done) = self.calls.join_next() => done.map_err(|_| self.gone()),
            Some(event) = self.events.recv() => Ok(*event),
            (index, entry) = self.mailbox.next() => Ok(Event::Signalled { index, entry }),
            () = alarm => {
                self.wake = None;
                Ok(Event::Tick)
            }
        }
    }

    /// Carries out one command and returns what is known at once.
    async fn obey(&mut self, command: Command) -> Result<Option<Event>, EngineError> {
        match command {
            Command::Append(record) => {
                let appended =
                    self.writer.append(self.machine.state(), self.epoch, &record, self.steady.now()).await?;
                if appended == Appended::Written {
                    self.gates.committed(&record);
                    return Ok(Some(Event::Appended));
                }
                return Ok(Some(Event::LeaseLost));
            }
            Command::Perform { step, stamp, key, until } => {
                self.gates.leave();
                self.lease.fresh().await;
                let call = Call { key, stamp, deadline: until };
                let span = tracing::info_span!("attempt", run = %self.machine.state().run(), %step, %stamp);
                let (ports, plan) = (Arc::clone(&self.ports), Arc::clone(self.machine.state().plan()));
                let patience = (until - self.steady.now()).to_std().unwrap_or_default();
                let call = async move {
                    match plan.effect(step) {
                        Some(effect) => perform::perform(&ports, effect, call, patience).await,
                        None => Event::Tick,
                    }
                };
                self.calls.spawn(call.instrument(span));
            }
            Command::Seal { target, stamp } => {
                let span = tracing::info_span!("seal", run = %self.machine.state().run(), %target, %stamp);
                let (ports, patience) = (Arc::clone(&self.ports), self.patience());
                self.calls.spawn(
                    async move { perform::seal(&ports, &target, stamp, patience).await }.instrument(span),
                );
            }
            Command::Probe { step, target, key } => {
                let span = tracing::info_span!("probe", run = %self.machine.state().run(), %step, %target);
                let (ports, patience) = (Arc::clone(&self.ports), self.patience());
                let probe = async move { perform::probe(&ports, step, &target, &key, patience).await };
                self.calls.spawn(probe.instrument(span));
            }
            Command::Watch { step } => self.gates.watch(self.machine.state(), step),
            Command::WakeAt(at) => self.wake = Some(at),
            Command::Stop(_) => {}
        }
        Ok(None)
    }

    fn patience(&self) -> std::time::Duration {
        self.machine.state().plan().execution().attempt_deadline.to_duration()
    }

    fn stopped(&self, stop: Stop) -> Result<Outcome, EngineError> {
        let run = self.machine.state().run().clone();
        match (stop, self.machine.state().course()) {
            (Stop::Ended, Course::Ended(outcome)) => Ok(outcome.clone()),
            (Stop::Lost, _) => Err(EngineError::TakenOver { run }),
            (Stop::Ended | Stop::Corrupt, _) => Err(self.gone()),
        }
    }

    fn gone(&self) -> EngineError {
        EngineError::DriverGone { run: self.machine.state().run().clone() }
    }
}

/// What a driver is given besides the ports and the run.
pub(crate) struct Parts {
    pub(crate) writer: Writer,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) samples: Vec<(hotfix_core::plan::StepId, hotfix_core::model::Sample)>,
}
