//! Watching an open gate: the workload by its stream, the metrics by looks, the decision by the pure judge.
//!
//! A gate's task only proposes. A sample enters the judge when it is committed, never before, so that the judge's
//! state is the fold of the journal at every moment, and another process can go on from the journal alone.

mod health;
mod live;
mod outside;
mod verify;

use std::sync::Arc;
use std::sync::atomic::AtomicU16;

use hotfix_core::execute::{Event, Record, Run, StepState};
use hotfix_core::judge::Increments;
use hotfix_core::model::{Sample, SlotName, Target, Timestamp};
use hotfix_core::plan::{Action, Gate, Plan, StepId};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::Instrument as _;

use crate::backends::Backends;
use crate::news::{Announcer, News};
use crate::steady::Steady;

/// The gates of one run, at most one of which is open.
#[derive(Debug)]
pub(crate) struct GateWatch {
    ports: Arc<Backends>,
    told: mpsc::Sender<Box<Event>>,
    steady: Steady,
    news: Arc<watch::Sender<News>>,
    /// Every committed sample, in order.
    samples: Vec<(StepId, Sample)>,
    /// The counters as last seen, kept from gate to gate of one rollout.
    counters: Counters,
    /// How many of its instances were told of as ready, likewise.
    announced: Arc<AtomicU16>,
    /// Which rollout that is.
    counted: Option<(Target, SlotName)>,
    open: Option<OpenGate>,
    /// What goes on beside the open gate.
    beside: JoinSet<()>,
}

type Counters = Arc<Mutex<Option<Increments>>>;

#[derive(Debug)]
struct OpenGate {
    step: StepId,
    nudge: mpsc::UnboundedSender<Nudge>,
    task: JoinHandle<()>,
}

/// What an open gate is told by its driver.
#[derive(Debug)]
enum Nudge {
    /// The machine listens.
    Listening,
    /// A sample was committed.
    Committed(Box<Sample>),
}

/// What the task of a gate works with.
struct Context {
    ports: Arc<Backends>,
    plan: Arc<Plan>,
    step: StepId,
    opened: Timestamp,
    told: mpsc::Sender<Box<Event>>,
    steady: Steady,
    nudges: mpsc::UnboundedReceiver<Nudge>,
    counters: Counters,
    announcer: Announcer,
}

impl GateWatch {
    pub(crate) fn new(
        ports: Arc<Backends>,
        told: mpsc::Sender<Box<Event>>,
        steady: Steady,
        news: Arc<watch::Sender<News>>,
        samples: Vec<(StepId, Sample)>,
    ) -> Self {
        Self {
            ports,
            told,
            steady,
            news,
            samples,
            counters: Arc::default(),
            announced: Arc::default(),
            counted: None,
            open: None,
            beside: JoinSet::new(),
        }
    }

    /// Takes note of a committed record.
    pub(crate) fn committed(&mut self, record: &Record) {
        match record {
            Record::Sampled { step, sample } => {
                self.samples.push((*step, sample.clone()));
                if let Some(open) = &self.open {
                    // A task that has ended misses nothing.
                    let _ = open.nudge.send(Nudge::Committed(Box::new(sample.clone())));
                }
            }
            Record::Verdict { .. } | Record::Terminal(_) => self.open = None,
            _ => {}
        }
    }

    /// Leaves the gate that was open, if there is one: it was left out or called off, and what its task counted from now
    /// on would be lost to the next.
    pub(crate) fn leave(&mut self) {
        self.open = None;
    }

    /// Watches a gate, or tells its task that the machine listens again.
    pub(crate) fn watch(&mut self, run: &Run, step: StepId) {
        let same = |open: &OpenGate| open.step == step && !open.task.is_finished();
        if !self.open.as_ref().is_some_and(same) {
            self.open = self.start(run, step);
        }
        if let Some(open) = &self.open {
            let _ = open.nudge.send(Nudge::Listening);
        }
    }

    fn start(&mut self, run: &Run, step: StepId) -> Option<OpenGate> {
        let plan = run.plan();
        let Action::Gate(gate) = &plan.step(step)?.action else { return None };
        let StepState::Open { at, .. } = run.steps().get(usize::from(step.0))? else { return None };
        let rollout = Some((gate.target().clone(), gate.slot().clone()));
        if matches!(gate, Gate::Ready { .. } | Gate::Verify { .. }) && self.counted != rollout {
            (self.counters, self.announced) = Default::default();
            self.counted = rollout;
        }
        if let Gate::Ready { .. } = gate
            && let Some(rollout) = verify::Rollout::after(plan, step, gate)
        {
            let (ports, counters) = (Arc::clone(&self.ports), Arc::clone(&self.counters));
            self.beside.spawn(verify::learn(ports, rollout, *at, counters));
        }
        let (nudge, nudges) = mpsc::unbounded_channel();
        let context = Context {
            ports: Arc::clone(&self.ports),
            plan: Arc::clone(plan),
            step,
            opened: *at,
            told: self.told.clone(),
            steady: self.steady,
            nudges,
            counters: Arc::clone(&self.counters),
            announcer: Announcer {
                news: Arc::clone(&self.news),
                step,
                staged: plan.staged(gate),
                told: Arc::clone(&self.announced),
            },
        };
        let span = tracing::info_span!("gate", run = %run.run(), %step, target = %gate.target());
        let task = match gate.clone() {
            gate @ Gate::Verify { .. } => {
                let samples = self.samples.clone();
                tokio::spawn(verify::watch(context, gate, samples).instrument(span))
            }
            Gate::Watch { ref rules, lasting, .. } => {
                let watched = live::Watched { rules: rules.clone(), lasting, gate: gate.clone() };
                let samples = self.samples.clone();
                tokio::spawn(live::watch(context, watched, samples).instrument(span))
            }
            // Only a word from outside opens it.
            Gate::Approval { .. } => return None,
            gate @ (Gate::Ready { .. } | Gate::Soak { .. }) => {
                tokio::spawn(health::watch(context, gate).instrument(span))
            }
        };
        Some(OpenGate { step, nudge, task })
    }
}

impl Drop for OpenGate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
