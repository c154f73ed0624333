//! Gates that judge traffic.

use std::sync::Arc;

use hotfix_core::decide::{self, Verification};
use hotfix_core::execute::Event;
use hotfix_core::judge::Increments;
use hotfix_core::model::{Fault, LatencyBound, Missing, Reason, Ruling, Sample, SlotName, Target, Timestamp};
use hotfix_core::plan::{Action, Gate, Plan, Step, StepId};
use hotfix_core::port::{MetricsQuery, Scrape};
use tokio::time::MissedTickBehavior;

use super::health::Follower;
use super::outside::Outside;
use super::{Context, Counters, Nudge};
use crate::backends::Backends;

/// Watches a gate to its decision. `samples` are all that were committed so far in this run.
pub(super) async fn watch(context: Context, gate: Gate, samples: Vec<(StepId, Sample)>) {
    let Some(rollout) = Rollout::of(&context.plan, context.step) else { return };
    let verification = match rollout.rebuild(&context.plan, context.step, &samples) {
        Ok(verification) => verification,
        Err(error) => {
            let event =
                Event::Stuck { step: context.step, reason: format!("the judge cannot be set up: {error}") };
            let _ = context.told.send(Box::new(event)).await;
            return;
        }
    };
    let resumed = samples.iter().any(|(step, _)| rollout.gates.iter().any(|(gate, _)| gate == step));
    let follower = Follower::new(&context, rollout.target.clone(), rollout.canary.clone());
    drop(samples);
    let outside = Outside::start(&context, &gate).await;
    // A gate waits most of its life: boxed, its task holds neither two of this nor what it takes to look.
    let watch = Box::new(Watch {
        context,
        rollout,
        verification,
        follower,
        outside,
        pending: None,
        ruling: None,
        listening: false,
    });
    watch.run(resumed).await;
}

/// Learns where the counters of a rollout stand before its slot gets any traffic: what it held before may still be
/// scraped, and is not held against what it holds now.
pub(super) async fn learn(ports: Arc<Backends>, rollout: Rollout, since: Timestamp, counters: Counters) {
    let mut counters = counters.lock().await;
    if counters.is_some() {
        return;
    }
    if let Ok(scrape) = ports.metrics.scrape(&rollout.query()).await {
        let mut fresh = rollout.counters(since);
        fresh.prime(&scrape);
        *counters = Some(fresh);
    }
}

/// The gates of one target, in order: one rollout, one body of evidence.
pub(super) struct Rollout {
    target: Target,
    canary: SlotName,
    baseline: Option<SlotName>,
    gates: Vec<(StepId, u8)>,
    /// Beyond which requests are slow.
    bounds: Vec<LatencyBound>,
}

impl Rollout {
    /// Returns the rollout of a slot that is waited for before it is judged.
    pub(super) fn after(plan: &Plan, step: StepId, gate: &Gate) -> Option<Self> {
        let judges = |later: &&Step| {
            let Action::Gate(Gate::Verify { target, canary, .. }) = &later.action else { return false };
            later.id > step && target == gate.target() && canary == gate.slot()
        };
        Self::of(plan, plan.steps().iter().find(judges)?.id)
    }

    fn of(plan: &Plan, step: StepId) -> Option<Self> {
        let Action::Gate(Gate::Verify { target, canary, .. }) = &plan.step(step)?.action else { return None };
        let bounds = plan.judging().bounds();
        let mut rollout = Self {
            target: target.clone(),
            canary: canary.clone(),
            baseline: None,
            gates: Vec::new(),
            bounds,
        };
        for step in plan.steps() {
            if let Action::Gate(Gate::Verify { target, canary, baseline, weight, .. }) = &step.action
                && *target == rollout.target
                && *canary == rollout.canary
            {
                rollout.gates.push((step.id, *weight));
                rollout.baseline = rollout.baseline.or_else(|| baseline.clone());
            }
        }
        Some(rollout)
    }

    /// Folds the committed samples of all gates up to `step`.
    fn rebuild(
        &self,
        plan: &Plan,
        step: StepId,
        samples: &[(StepId, Sample)],
    ) -> Result<Verification, hotfix_core::model::InvalidValue> {
        let later = u32::try_from(self.gates.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let mut gates = self.gates.iter().take_while(|(gate, _)| *gate <= step);
        let weight = |weight: u8| decide::Gate::at(weight);
        let first = gates.next().map_or(100, |(_, weight)| *weight);
        let judging = plan.judging();
        let mut verification =
            Verification::new(&judging.rules, weight(first)?, later, judging.calibration.clone())?;
        let of =
            |gate: StepId| samples.iter().filter(move |(step, _)| *step == gate).map(|(_, sample)| sample);
        for sample in self.gates.first().into_iter().flat_map(|(gate, _)| of(*gate)) {
            verification.observe(sample, &[]);
        }
        for (gate, percent) in gates {
            verification.next_gate(weight(*percent)?);
            for sample in of(*gate) {
                verification.observe(sample, &[]);
            }
        }
        Ok(verification)
    }

    fn counters(&self, since: Timestamp) -> Increments {
        Increments::new(self.canary.clone(), self.baseline.clone(), since)
    }

    fn query(&self) -> MetricsQuery {
        let slots = [Some(self.canary.clone()), self.baseline.clone()].into_iter().flatten().collect();
        MetricsQuery { target: self.target.clone(), slots, bounds: self.bounds.clone() }
    }
}

struct Watch {
    context: Context,
    rollout: Rollout,
    verification: Verification,
    follower: Follower,
    outside: Outside,
    /// A sample that was proposed and is not committed yet.
    pending: Option<Sample>,
    /// What the committed samples say.
    ruling: Option<Ruling>,
    listening: bool,
}

impl Watch {
    async fn run(mut self: Box<Self>, resumed: bool) {
        Box::pin(self.prime(resumed)).await;
        let look = self.context.ports.between_looks(self.context.plan.execution().look);
        let mut looks = tokio::time::interval(look.to_duration());
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.reset();
        loop {
            self.state().await;
            tokio::select! {
                () = self.follower.changed(&self.context.ports) => {}
                () = self.outside.changed() => {}
                nudge = self.context.nudges.recv() => match nudge {
                    Some(Nudge::Listening) => self.listening = true,
                    Some(Nudge::Committed(sample)) => self.committed(&sample),
                    None => return,
                },
                _ = looks.tick(), if self.pending.is_none() => Box::pin(self.look()).await,
            }
        }
    }

    /// Says whatever is to be said, if the machine listens.
    async fn state(&mut self) {
        if !self.listening {
            return;
        }
        let step = self.context.step;
        let faults = self.faults();
        let condemned =
            (!faults.is_empty()).then(|| Ruling::condemned_by(&faults).also(self.ruling.as_ref()));
        let event = match (condemned.as_ref().or(self.ruling.as_ref()), &self.pending) {
            (Some(ruling @ Ruling::RollBack { .. }), _) => {
                Event::Decided { step, verdict: self.verification.verdict(ruling) }
            }
            (Some(ruling @ Ruling::Promote { .. }), _) if self.outside.checks.have_passed() => {
                let mut verdict = self.verification.verdict(ruling);
                verdict.reasons.extend(self.outside.checks.reasons());
                Event::Decided { step, verdict }
            }
            (_, Some(sample)) => Event::Sampled { step, sample: sample.clone() },
            (Some(ruling), None) if asks_a_human(ruling) => Event::Stuck { step, reason: ruling.to_string() },
            (_, None) => return,
        };
        // What the machine does not take up, it asks for again by listening.
        self.listening = matches!(event, Event::Stuck { .. });
        if self.listening {
            self.ruling = None;
        }
        let _ = self.context.told.send(Box::new(event)).await;
    }

    /// What is wrong with the canary, seen by whoever runs it and from outside.
    fn faults(&self) -> Vec<Fault> {
        [self.follower.faults(), self.outside.checks.faults()].concat()
    }

    fn committed(&mut self, sample: &Sample) {
        self.pending = None;
        let faults = self.faults();
        let (evidence, ruling) = self.verification.observe(sample, &faults);
        tracing::debug!(?evidence, %ruling, "looked");
        self.ruling = Some(ruling);
    }

    async fn look(&mut self) {
        let at = self.context.steady.now();
        let scraped = self.context.ports.metrics.scrape(&self.rollout.query()).await;
        let mut counters = self.context.counters.lock().await;
        let sample = match (scraped, counters.as_mut()) {
            (Ok(scrape), Some(counters)) => counters.take(at, &scrape),
            (Ok(scrape), None) => {
                let mut fresh = self.counters();
                fresh.prime(&scrape);
                *counters = Some(fresh);
                return;
            }
            (Err(error), _) => Sample::missed(at, Missing::failed(&error)),
        };
        self.pending = Some(match self.follower.ready_count() {
            Some(ready) => sample.with_ready(ready),
            None => sample,
        });
    }

    /// Learns where the counters stand. A canary that was never judged counts from its first request; after an
    /// interruption nobody knows what was counted already, so nothing before this moment counts again.
    async fn prime(&mut self, resumed: bool) {
        let mut counters = self.context.counters.lock().await;
        if counters.is_some() {
            return;
        }
        let Ok(mut scrape) = self.context.ports.metrics.scrape(&self.rollout.query()).await else { return };
        if !resumed {
            leave_out(&mut scrape, &self.rollout.canary);
        }
        let mut fresh = self.counters();
        fresh.prime(&scrape);
        *counters = Some(fresh);
    }

    fn counters(&self) -> Increments {
        self.rollout.counters(self.context.opened)
    }
}

/// A canary that gets no traffic is an error of the set-up: waiting for it to pass would only use up the deadline.
fn asks_a_human(ruling: &Ruling) -> bool {
    match ruling {
        Ruling::Freeze { .. } => true,
        Ruling::Hold { reasons } => {
            reasons.iter().any(|reason| matches!(reason, Reason::NoCanaryTraffic { .. }))
        }
        _ => false,
    }
}

fn leave_out(scrape: &mut Scrape, slot: &SlotName) {
    scrape.series.retain(|series| series.slot != *slot);
}
