//! The one seam for calls to ports that change something: timeout, span, and an answer in the machine's words.

use std::future::Future;
use std::time::Duration;

use hotfix_core::execute::Event;
use hotfix_core::model::{Effect, Fenced, IdempotencyKey, Stamp};
use hotfix_core::plan::StepId;
use hotfix_core::port::{self, Ambiguity, Call, Probe, Reply, Seal};

use crate::backends::Backends;

/// No effect is on a watch.
const NOTHING_THERE: &str = "a watch takes no effects";

/// Sends one effect. Never answers later than the call's deadline allows: an answer that is late is no answer.
pub(crate) async fn perform(ports: &Backends, effect: &Effect, call: Call, patience: Duration) -> Event {
    let stamp = call.stamp;
    let reply = async {
        match effect {
            Effect::Source { service, batch } => ports.source.apply(&call, service, batch).await,
            Effect::Workload { target, verb, precondition } => {
                ports.deployer.apply(&call, target, verb, precondition).await
            }
        }
    };
    let reply = within(patience, reply).await.unwrap_or(Reply::Ambiguous(Ambiguity::Timeout));
    tracing::debug!(reply = ?reply, "effect answered");
    Event::Replied { stamp, reply }
}

/// Raises a fence.
pub(crate) async fn seal(ports: &Backends, target: &Fenced, stamp: Stamp, patience: Duration) -> Event {
    let seal = port::seal(&*ports.source, &*ports.deployer, target, stamp);
    let timeout = || Seal::Unreachable { cause: format!("no answer within {} s", patience.as_secs_f32()) };
    let seal = within(patience, seal).await.unwrap_or_else(timeout);
    tracing::debug!(seal = ?seal, "fence answered");
    Event::Sealed { stamp, seal }
}

/// Asks a target for a key.
pub(crate) async fn probe(
    ports: &Backends,
    step: StepId,
    target: &Fenced,
    key: &IdempotencyKey,
    patience: Duration,
) -> Event {
    let probe = async {
        match target {
            Fenced::Source(service) => ports.source.probe(service, key).await,
            Fenced::Workload(target) => ports.deployer.probe(target, key).await,
            Fenced::Watch(_) => Probe::Unreadable { cause: NOTHING_THERE.to_owned() },
        }
    };
    let timeout = || Probe::Unreadable { cause: format!("no answer within {} s", patience.as_secs_f32()) };
    let probe = within(patience, probe).await.unwrap_or_else(timeout);
    tracing::debug!(probe = ?probe, "probe answered");
    Event::Probed { step, probe }
}

async fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(patience, future).await.ok()
}
