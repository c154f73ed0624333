//! Stage 2: what to read of the world before planning, as data.
//!
//! [`readings`] says what is still missing in a [`Snapshot`]; somebody who can reach the ports performs each
//! [`Reading`] and records the answer, or that there was none; and so on until nothing is missing. All decisions about
//! *what* is read are made here, purely; nothing here waits or fails.
//!
//! ```
//! # use hotfix_core::{observe::{self, Reading, Snapshot}, policy::Policy, request::Request};
//! # fn perform(_: &Reading, _: &mut Snapshot) {}
//! fn observe_all(request: &Request, policy: &Policy, mut snapshot: Snapshot) -> Snapshot {
//!     loop {
//!         let missing = observe::readings(request, policy, &snapshot);
//!         if missing.is_empty() {
//!             return snapshot;
//!         }
//!         for reading in &missing {
//!             perform(reading, &mut snapshot); // ask the port, then `snapshot.record_…`
//!         }
//!     }
//! }
//! ```

mod composition;
mod messages;
mod reading;
mod recipe;
mod snapshot;
mod source;
mod source_fault;
mod versions;

pub use reading::{Reading, readings};
pub use snapshot::{Composition, Fact, Snapshot, WorkloadFacts};
pub use source_fault::SourceFault;
pub use versions::{ReleaseTags, VersionChoice};

pub(crate) use composition::{ComposeFault, Composed, DevelopMerge, composed};
pub(crate) use reading::{production, staging};
pub(crate) use source::{BranchState, FixSource, SourceGoal, resolve};
