//! Gates that wait for instances: ready, and ready for a while.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hotfix_core::Result;
use hotfix_core::decide::Health;
use hotfix_core::execute::Event;
use hotfix_core::model::{Fault, SlotName, Target, Timestamp, Verdict};
use hotfix_core::plan::Gate;
use hotfix_core::port::{WorkloadChange, WorkloadWatch};

use super::outside::Outside;
use super::{Context, Nudge};
use crate::backends::Backends;
use crate::news::Announcer;
use crate::steady::Steady;

/// How long a broken watch rests before it is opened again.
const REOPEN: Duration = Duration::from_millis(200);

/// Watches a gate to its decision.
pub(super) async fn watch(mut context: Context, gate: Gate) {
    let mut follower = Follower::new(&context, gate.target().clone(), gate.slot().clone());
    // What is not ready yet is not looked at from outside.
    let mut outside = match gate {
        Gate::Soak { .. } => Some(Outside::start(&context, &gate).await),
        _ => None,
    };
    let mut listening = false;
    loop {
        let now = context.steady.now();
        let (verdict, wake) = match &gate {
            Gate::Soak { lasting, .. } => {
                // What nobody saw is no part of it.
                let since = follower.since.unwrap_or(now);
                (follower.health.soaked(since, now, *lasting), since + lasting.to_delta())
            }
            Gate::Ready { .. } | Gate::Verify { .. } | Gate::Approval { .. } | Gate::Watch { .. } => {
                (follower.health.ready(), now + chrono::TimeDelta::hours(1))
            }
        };
        let verdict = match &outside {
            Some(outside) => outside.checks.temper(verdict),
            None => verdict,
        };
        if let Some(verdict) = verdict.filter(|_| listening) {
            listening = false;
            tell(&context, verdict).await;
        }
        tokio::select! {
            () = follower.changed(&context.ports) => {}
            () = seen(&mut outside) => {}
            nudge = context.nudges.recv() => match nudge {
                Some(Nudge::Listening) => listening = true,
                Some(Nudge::Committed(_)) => {}
                None => return,
            },
            () = tokio::time::sleep_until(context.steady.instant(wake)), if wake > now => {}
        }
    }
}

async fn seen(outside: &mut Option<Outside>) {
    match outside {
        Some(outside) => outside.changed().await,
        None => std::future::pending().await,
    }
}

async fn tell(context: &Context, verdict: Verdict) {
    // The driver is gone if nobody listens, and this task with it.
    let _ = context.told.send(Box::new(Event::Decided { step: context.step, verdict })).await;
}

/// Follows the instances of one slot through broken and reopened watches.
pub(super) struct Follower {
    target: Target,
    slot: SlotName,
    sight: Sight,
    health: Health,
    /// Since when the watch that is open tells how many are ready; `None` while nobody looks.
    since: Option<Timestamp>,
    announcer: Announcer,
    steady: Steady,
}

enum Sight {
    None,
    /// It is kept over whatever else happens meanwhile: begun anew each time it might never be open.
    Opening(Pin<Box<dyn Future<Output = Result<WorkloadWatch>> + Send>>),
    Open(WorkloadWatch),
}

impl Follower {
    pub(super) fn new(context: &Context, target: Target, slot: SlotName) -> Self {
        let (announcer, steady) = (context.announcer.clone(), context.steady);
        Self { target, slot, sight: Sight::None, health: Health::default(), since: None, announcer, steady }
    }

    /// Returns what is wrong with the instances.
    pub(super) fn faults(&self) -> &[Fault] {
        self.health.faults()
    }

    /// Returns how many instances can take traffic, if somebody looks.
    pub(super) fn ready_count(&self) -> Option<u16> {
        self.since.map(|_| self.health.ready_count())
    }

    /// Waits until something is known that was not known before. Dropping the future loses nothing.
    pub(super) async fn changed(&mut self, ports: &Backends) {
        loop {
            match &mut self.sight {
                Sight::None => self.sight = Sight::Opening(self.open(ports, Duration::ZERO)),
                Sight::Opening(opening) => match opening.await {
                    Ok(stream) => self.sight = Sight::Open(stream),
                    Err(error) => {
                        tracing::warn!(target = %self.target, %error, "the workload cannot be watched");
                        self.sight = Sight::Opening(self.open(ports, REOPEN));
                    }
                },
                Sight::Open(stream) => match stream.next().await {
                    Some(Ok(WorkloadChange::Instances { slot, replicas, ready })) if slot == self.slot => {
                        let now = self.steady.now();
                        self.since.get_or_insert(now);
                        self.health.count(replicas, ready);
                        self.announcer.count(now, replicas, ready);
                        return;
                    }
                    Some(Ok(WorkloadChange::Faulty { slot, fault })) if slot == self.slot => {
                        self.health.fault(fault);
                        return;
                    }
                    Some(Ok(_)) => {}
                    ended @ (Some(Err(_)) | None) => {
                        if let Some(Err(error)) = ended {
                            tracing::warn!(target = %self.target, %error, "the watch of the workload broke");
                        }
                        self.since = None;
                        self.health.lose_sight();
                        self.sight = Sight::Opening(self.open(ports, REOPEN));
                    }
                },
            }
        }
    }

    /// Opens the watch after a rest.
    fn open(
        &self,
        ports: &Backends,
        rest: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<WorkloadWatch>> + Send>> {
        let (deployer, target) = (Arc::clone(&ports.deployer), self.target.clone());
        Box::pin(async move {
            tokio::time::sleep(rest).await;
            deployer.watch(&target).await
        })
    }
}
