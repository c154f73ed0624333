//! The gate that watches what is live after a success.

use hotfix_core::decide::Watch;
use hotfix_core::execute::Event;
use hotfix_core::judge::Increments;
use hotfix_core::model::{Missing, Period, Sample, SlotName, Verdict, WatchRules};
use hotfix_core::plan::{Gate, StepId};
use hotfix_core::port::MetricsQuery;
use tokio::time::MissedTickBehavior;

use super::outside::Outside;
use super::{Context, Nudge};

/// What is to be watched.
pub(super) struct Watched {
    pub(super) gate: Gate,
    pub(super) lasting: Period,
    pub(super) rules: Box<WatchRules>,
}

/// Watches to the end, a breach, or another release. `samples` are all that were committed so far in this run.
pub(super) async fn watch(context: Context, watched: Watched, samples: Vec<(StepId, Sample)>) {
    let step = context.step;
    let mut watch = match Watch::new(&watched.rules, context.opened) {
        Ok(watch) => watch,
        Err(error) => {
            let event = Event::Stuck { step, reason: format!("the watch cannot be set up: {error}") };
            // The driver is gone if nobody listens, and this task with it.
            let _ = context.told.send(Box::new(event)).await;
            return;
        }
    };
    let of_step = samples.iter().filter(|(of, _)| *of == step);
    let verdict = of_step.fold(None, |verdict, (_, sample)| watch.observe(sample).or(verdict));
    drop(samples);
    let outside = Outside::start(&context, &watched.gate).await;
    let slot = watched.gate.slot().clone();
    let live = Live {
        context,
        watched,
        slot,
        watch,
        outside,
        counters: None,
        pending: None,
        verdict,
        superseded: false,
        listening: false,
    };
    Box::new(live).run().await;
}

struct Live {
    context: Context,
    watched: Watched,
    /// Where it is live; it can move.
    slot: SlotName,
    watch: Watch,
    outside: Outside,
    /// `None` until the counters were read once: only what rises from then on is counted.
    counters: Option<Increments>,
    /// A sample that was proposed and is not committed yet.
    pending: Option<Sample>,
    verdict: Option<Verdict>,
    /// Something else is live, and what is seen from outside is about that.
    superseded: bool,
    listening: bool,
}

impl Live {
    async fn run(mut self: Box<Self>) {
        let every = self.context.ports.between_looks(self.watched.rules.every);
        let mut looks = tokio::time::interval(every.to_duration());
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.state().await;
            tokio::select! {
                nudge = self.context.nudges.recv() => match nudge {
                    Some(Nudge::Listening) => self.listening = true,
                    Some(Nudge::Committed(sample)) => {
                        self.pending = None;
                        self.verdict = self.watch.observe(&sample);
                    }
                    None => return,
                },
                () = self.outside.changed() => {}
                _ = looks.tick(), if self.pending.is_none() && self.verdict.is_none() => {
                    Box::pin(self.look()).await;
                }
            }
        }
    }

    /// Says whatever is to be said, if the machine listens.
    async fn state(&mut self) {
        if !self.listening {
            return;
        }
        let step = self.context.step;
        let verdict = match &self.verdict {
            Some(verdict) if self.superseded => Some(verdict.clone()),
            verdict => self.outside.checks.temper(verdict.clone()),
        };
        let event = match (verdict, &self.pending, self.watch.blind()) {
            (Some(verdict), _, _) => Event::Decided { step, verdict },
            (None, Some(sample), _) => Event::Sampled { step, sample: sample.clone() },
            (None, None, Some(reason)) => Event::Stuck { step, reason: reason.to_string() },
            (None, None, None) => return,
        };
        // What the machine does not take up, it asks for again by listening.
        self.listening = matches!(event, Event::Stuck { .. });
        let _ = self.context.told.send(Box::new(event)).await;
    }

    async fn look(&mut self) {
        let at = self.context.steady.now();
        if !self.is_still_live().await {
            return;
        }
        if at >= self.context.opened + self.watched.lasting.to_delta() {
            self.verdict = Some(self.watch.over(self.watched.lasting));
            return;
        }
        let (target, slots) = (self.watched.gate.target().clone(), vec![self.slot.clone()]);
        let query = MetricsQuery { target, slots, bounds: Vec::new() };
        let scraped = self.context.ports.metrics.scrape(&query).await;
        self.pending = match (scraped, &mut self.counters) {
            (Ok(scrape), Some(counters)) => Some(counters.take(at, &scrape)),
            (Ok(scrape), unread) => {
                let mut fresh = Increments::new(self.slot.clone(), None, self.context.opened);
                fresh.prime(&scrape);
                *unread = Some(fresh);
                None
            }
            (Err(error), _) => Some(Sample::missed(at, Missing::failed(&error))),
        };
    }

    /// Returns whether what is watched is live. It may have moved to another slot; another release ends the watch. A
    /// workload that cannot be read is watched on.
    async fn is_still_live(&mut self) -> bool {
        let workload = match self.context.ports.deployer.observe(self.watched.gate.target()).await {
            Ok(workload) => workload,
            Err(error) => {
                tracing::warn!(target = %self.watched.gate.target(), %error, "the watched workload cannot be read");
                return true;
            }
        };
        let artifact = workload.live_artifact();
        if artifact.as_ref() != Some(self.watched.gate.artifact()) {
            self.superseded = true;
            self.verdict = Some(self.watch.superseded(artifact));
            return false;
        }
        if let Some(slot) = workload.live.filter(|slot| *slot != self.slot) {
            self.slot = slot;
            self.counters = None;
        }
        true
    }
}
