//! Gates that wait for instances: ready, and ready for a while.

use std::time::Duration;

use futures_util::StreamExt as _;
use hotfix_core::decide::Health;
use hotfix_core::execute::Event;
use hotfix_core::model::{SlotName, Target, Verdict};
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
                (follower.health.soaked(context.opened, now, *lasting), context.opened + lasting.to_delta())
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
    stream: Option<WorkloadWatch>,
    pub(super) health: Health,
    announcer: Announcer,
    steady: Steady,
}

impl Follower {
    pub(super) fn new(context: &Context, target: Target, slot: SlotName) -> Self {
        let (announcer, steady) = (context.announcer.clone(), context.steady);
        Self { target, slot, stream: None, health: Health::default(), announcer, steady }
    }

    /// Waits until something is known that was not known before. Dropping the future loses nothing.
    pub(super) async fn changed(&mut self, ports: &Backends) {
        loop {
            let Some(stream) = &mut self.stream else {
                match ports.deployer.watch(&self.target).await {
                    Ok(stream) => {
                        self.health = Health::default();
                        self.stream = Some(stream);
                    }
                    Err(error) => {
                        tracing::warn!(target = %self.target, %error, "the workload cannot be watched");
                        tokio::time::sleep(REOPEN).await;
                    }
                }
                continue;
            };
            match stream.next().await {
                Some(Ok(WorkloadChange::Instances { slot, replicas, ready })) if slot == self.slot => {
                    self.health.count(replicas, ready);
                    self.announcer.count(self.steady.now(), replicas, ready);
                    return;
                }
                Some(Ok(WorkloadChange::Faulty { slot, fault })) if slot == self.slot => {
                    self.health.fault(fault);
                    return;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    self.stream = None;
                    tokio::time::sleep(REOPEN).await;
                }
            }
        }
    }
}
