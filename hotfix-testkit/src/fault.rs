//! Faults on the way to any backend and back: a wrapper per port, driven by a script or by a seed.
//!
//! A wrapper stands where the network would. It never changes what the backend does with a request; it decides
//! whether and when the request arrives, and whether the caller hears the answer. Put it outermost: a wrapper that
//! retries outside of it sees every fault, one inside of it sees none.

mod check;
mod deployer;
mod metrics_source;
mod notifier;
mod plan;
mod silencer;
mod store;
mod version_control;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hotfix_core::model::Period;
use hotfix_core::port::{Ambiguity, Probe, Rejection, Reply, Seal};
use hotfix_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

pub use self::check::FaultyCheck;
pub use self::deployer::FaultyDeployer;
pub use self::metrics_source::FaultyMetricsSource;
pub use self::notifier::FaultyNotifier;
use self::plan::Plan;
pub use self::plan::{Mishap, Operation, Rates};
pub use self::silencer::FaultySilencer;
pub use self::store::FaultyStore;
pub use self::version_control::FaultyVersionControl;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What goes wrong, shared by wrappers and test. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    plan: Plan,
    held: Vec<Held>,
    happened: Vec<(Operation, Mishap)>,
}

/// A request that waits to be delivered.
#[derive(Debug)]
struct Held {
    go: oneshot::Sender<()>,
    done: oneshot::Receiver<()>,
}

/// What a caller is told when it does not hear the answer of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unheard {
    /// Nothing came back.
    Silence,
    /// The other side is busy and did not look at the request.
    Busy,
}

impl Faults {
    /// Nothing goes wrong but what is added.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Mishaps happen by chance. The same seed and the same calls give the same mishaps.
    #[must_use]
    pub fn seeded(seed: u64, rates: Rates) -> Self {
        let state = State { plan: Plan::seeded(seed, rates), ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Scripts a mishap for the next call of the operation for which none is scripted yet. What is scripted goes
    /// before what the seed says.
    pub fn add(&self, operation: Operation, mishap: Mishap) {
        self.lock().plan.add(operation, mishap);
    }

    /// Returns what went wrong so far, in order.
    #[must_use]
    pub fn happened(&self) -> Vec<(Operation, Mishap)> {
        self.lock().happened.clone()
    }

    /// Delivers the requests that are held, in the order they were sent, and returns how many there were. Returns
    /// when the backend has dealt with all of them.
    pub async fn release(&self) -> usize {
        let held = std::mem::take(&mut self.lock().held);
        let count = held.len();
        for Held { go, done } in held {
            // Both fail only when the runtime that held the request is gone, and the request with it.
            let _gone = go.send(());
            let _gone = done.await;
        }
        count
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one call through, or what becomes of it.
    async fn pass<T: Send + 'static>(
        &self,
        operation: Operation,
        call: impl Fn() -> BoxFuture<T> + Send + 'static,
        unheard: impl FnOnce(Unheard) -> T,
    ) -> T {
        match self.next(operation) {
            None => call().await,
            Some(Mishap::RequestLost) => unheard(Unheard::Silence),
            Some(Mishap::ReplyLost) => {
                call().await;
                unheard(Unheard::Silence)
            }
            Some(Mishap::Busy) => unheard(Unheard::Busy),
            Some(Mishap::Held) => {
                let reply = self.hold(call).await;
                reply.ok().unwrap_or_else(|| unheard(Unheard::Silence))
            }
            Some(Mishap::Duplicated) => {
                let reply = call().await;
                drop(self.hold(call));
                reply
            }
            Some(Mishap::Delayed(period)) => {
                tokio::time::sleep(period.to_duration()).await;
                call().await
            }
        }
    }

    fn next(&self, operation: Operation) -> Option<Mishap> {
        let mut state = self.lock();
        let mishap = state.plan.next(operation)?;
        state.happened.push((operation, mishap));
        Some(mishap)
    }

    /// Holds a request until it is released, also if its caller has given up by then. The answer never comes if the
    /// request is never released.
    fn hold<T: Send + 'static>(
        &self,
        call: impl Fn() -> BoxFuture<T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (go, released) = oneshot::channel();
        let (finish, done) = oneshot::channel();
        let (answer, reply) = oneshot::channel();
        self.lock().held.push(Held { go, done });
        tokio::spawn(async move {
            if released.await.is_ok() {
                let _unheard = answer.send(call().await);
                let _unheard = finish.send(());
            }
        });
        reply
    }
}

/// What the caller of a read or of a store's write is told.
fn failure<T>(operation: &'static str) -> impl FnOnce(Unheard) -> Result<T> {
    move |unheard| {
        Err(match unheard {
            Unheard::Silence => Error::new(ErrorKind::Timeout, operation, SILENCE),
            Unheard::Busy => Error::new(ErrorKind::Unavailable, operation, BUSY),
        })
    }
}

/// What the caller of a mutation is told.
fn reply(unheard: Unheard) -> Reply {
    match unheard {
        Unheard::Silence => Reply::Ambiguous(Ambiguity::Interrupted { cause: SILENCE.to_owned() }),
        Unheard::Busy => {
            Reply::Rejected(Rejection::Busy { reason: BUSY.to_owned(), retry_after: Some(WAIT) })
        }
    }
}

/// What the caller of a seal is told.
fn seal(unheard: Unheard) -> Seal {
    Seal::Unreachable { cause: text(unheard).to_owned() }
}

/// What the caller of a probe is told.
fn probe(unheard: Unheard) -> Probe {
    Probe::Unreadable { cause: text(unheard).to_owned() }
}

const fn text(unheard: Unheard) -> &'static str {
    match unheard {
        Unheard::Silence => SILENCE,
        Unheard::Busy => BUSY,
    }
}

/// Sends one call of a wrapper through its faults. The arguments are cloned, so that a copy of the call can be
/// delivered after its caller is gone.
macro_rules! through {
    ($wrapper:ident, $operation:ident, |$inner:ident $(, $argument:ident)*| $call:expr, $unheard:expr) => {{
        let ($inner, $($argument),*) = (Arc::clone(&$wrapper.inner), $($argument.clone()),*);
        let call = move || -> $crate::fault::BoxFuture<_> {
            let ($inner, $($argument),*) = (Arc::clone(&$inner), $($argument.clone()),*);
            Box::pin(async move { $call.await })
        };
        $wrapper.faults.pass($crate::fault::Operation::$operation, call, $unheard).await
    }};
}
use through;

const SILENCE: &str = "no answer (injected)";
const BUSY: &str = "busy (injected)";

/// The wait that a busy side asks for.
const WAIT: Period = Period::from_secs(1);
