//! The checks of an open gate: each looks again and again, apart from everything else.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::decide::Checks;
use hotfix_core::plan::Gate;
use hotfix_core::port::{Check, CheckReport, CheckScope, CheckSubject, LONGEST_LOOK};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Context;
use crate::backends::Backends;

/// How long a workload that cannot be read is left alone before its split is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What checks have seen of one slot since its gate was opened.
pub(super) struct Outside {
    pub(super) checks: Checks,
    looks: mpsc::UnboundedReceiver<(Arc<dyn Check>, CheckReport)>,
    _tasks: JoinSet<()>,
}

impl Outside {
    /// Starts whatever looks at the slot of the gate.
    pub(super) async fn start(context: &Context, gate: &Gate) -> Self {
        let subject = CheckSubject {
            target: gate.target().clone(),
            slot: gate.slot().clone(),
            artifact: gate.artifact().clone(),
        };
        let (seen, looks) = mpsc::unbounded_channel();
        let (mut checks, mut tasks) = (Checks::default(), JoinSet::new());
        for check in concerned(&context.ports, &subject).await {
            checks.expect(check.name());
            let (seen, subject) = (seen.clone(), subject.clone());
            let pause = context.plan.execution().look.to_duration();
            tasks.spawn(async move {
                loop {
                    match tokio::time::timeout(LONGEST_LOOK.to_duration(), check.look(&subject)).await {
                        Ok(Ok(report)) => {
                            // Nobody listens when the gate is closed, and this task ends with it.
                            let _ = seen.send((Arc::clone(&check), report));
                        }
                        Ok(Err(error)) => tracing::warn!(check = check.name(), %error, "a check cannot look"),
                        Err(_) => tracing::warn!(check = check.name(), "a check does not come to an end"),
                    }
                    tokio::time::sleep(pause).await;
                }
            });
        }
        Self { checks, looks, _tasks: tasks }
    }

    /// Waits until something was seen; for ever when nothing looks. Dropping the future loses nothing.
    pub(super) async fn changed(&mut self) {
        match self.looks.recv().await {
            Some((check, report)) => {
                tracing::debug!(check = check.name(), seen = report.seen, "looked from outside");
                self.checks.saw(check.name(), &report);
            }
            None => std::future::pending().await,
        }
    }
}

/// What customers get tells of a slot only while it has all the traffic.
async fn concerned(ports: &Backends, subject: &CheckSubject) -> Vec<Arc<dyn Check>> {
    let scoped = |scope| {
        let checks = ports.checks.iter().filter(move |check| check.scope(&subject.target) == scope);
        checks.map(Arc::clone)
    };
    let mut concerned: Vec<_> = scoped(CheckScope::Slot).collect();
    if scoped(CheckScope::FrontDoor).next().is_some() && has_all_the_traffic(ports, subject).await {
        concerned.extend(scoped(CheckScope::FrontDoor));
    }
    concerned
}

async fn has_all_the_traffic(ports: &Backends, subject: &CheckSubject) -> bool {
    loop {
        match ports.deployer.observe(&subject.target).await {
            Ok(workload) => return workload.weights.is_some_and(|weights| weights.of(&subject.slot) == 100),
            Err(error) => {
                tracing::warn!(target = %subject.target, %error, "the split of the traffic cannot be read");
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }
}
