//! Claims on Leases of `coordination.k8s.io`: of targets by runs whose stores others do not share, and of the right to
//! lead by one of several replicas.

mod claimant;
mod connection;
mod holding;
mod leader;
mod note;
mod orphan;
mod store;
mod survey;

pub(crate) use connection::LONGEST_PREFIX;
pub use connection::{LeaseConfig, Leases};
pub use leader::{Leadership, LeadershipTerm};
pub use orphan::{ClaimState, ReleasedClaim, TargetClaim};
pub use store::LeasedStore;
