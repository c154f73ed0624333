//! The proof of the engine's protocol: the production [`Machine`](hotfix_core::execute::Machine) in every world that a
//! few crashes, losses, repetitions, refusals, outages, takeovers, edits and signals can make.
//!
//! Nothing of the protocol is modelled: plans, records and every transition are those of production. Only store,
//! targets, network and time are of this module, as small as they can be (`world`), with the behaviour that the ports
//! promise and nothing more (`rules`).
//!
//! - [`explore`] visits every reachable state of a [`Configuration`], nearest first, checks each [`Invariant`] at each
//!   step, and then that an end can be reached from every state. A breach comes with the shortest way to it.
//! - [`SeededFault`] breaks the world in ways that somebody could build. Each must break its invariant: a check that
//!   became weak is noticed.
//! - [`walk`] takes one random way through a world that is too large to be explored, and resumes from every prefix of
//!   every journal on that way.
//!
//! ```
//! use hotfix_testkit::explore::{Configuration, Invariant, SeededFault, explore};
//!
//! let fault = SeededFault::FencePerLease.hunt();
//! assert!(fault.breaches.iter().any(|breach| breach.invariant == Invariant::SingleApplication));
//! # let _ = explore; let _ = Configuration::small;
//! ```
//!
//! # What keeps the worlds small
//! - A machine is pure, so that each of its reactions is computed once and looked up from then on.
//! - Workers are alike, and so are requests: their order makes no state.
//! - A request that is lost is one that is never delivered; a request that the fence keeps out for ever is forgotten
//!   once nobody waits for its answer.
//! - A worker that lost its run, and can only find out by an append that the store refuses, is dismissed at once.
//! - A signal is left when somebody is told of it, and told when a record is about to be committed or something is done
//!   about it at once: until then it makes no difference.
//! - Time is early or late: before any deadline, or after all of them, told at random.

mod action;
mod check;
mod choices;
mod configuration;
mod dice;
mod entry;
mod exploration;
mod fault;
mod fingerprint;
mod input;
mod invariant;
mod machines;
mod model;
mod prove;
mod rules;
mod scenario;
mod search;
mod sketch;
mod store;
mod targets;
mod trace;
mod walk;
mod wilderness;
mod world;

pub use configuration::Configuration;
pub use exploration::{Breach, Exploration, explore};
pub use fault::{SeededFault, guarded_rerun};
pub use invariant::Invariant;
pub use prove::{AreaReport, Options, Worlds, prove};
pub use walk::{Walk, WalkFailure, walk};
pub use wilderness::plan_of;
pub use world::Ending;
