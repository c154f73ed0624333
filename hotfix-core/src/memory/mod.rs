//! Strict in-memory backends: the reference for every port.
//!
//! They keep each sentence of the ports' contracts and refuse whatever a real system would refuse, so that code
//! tested against them meets no surprise later. Clones share their state: a clone is another client of the same
//! system. Nothing survives the process.

mod check;
mod clock;
mod deployer;
mod feed;
mod fence;
mod metrics;
mod notifier;
mod script;
mod silencer;
mod store;
mod version_control;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use check::MemoryCheck;
pub use clock::{ManualClock, SequentialIds};
pub use deployer::{AcceptedVerb, Behaviour, MemoryDeployer, VerbEffect};
pub use metrics::MemoryMetrics;
pub use notifier::{DeliveryTrouble, MemoryNotifier, Shown};
pub use script::{Link, Trouble};
pub use silencer::{MemorySilencer, SilencerTrouble};
pub use store::MemoryStore;
pub use version_control::{AcceptedBatch, MemoryVersionControl};

/// Locks, also after a test panicked while it held the lock: every change below a lock is complete before anything
/// can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
