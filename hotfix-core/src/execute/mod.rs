//! Stage 4: a run as a state machine without I/O.
//!
//! - [`Record`] is what is journaled, [`Run`] the fold over the records.
//! - [`Machine`] takes [`Event`]s and gives [`Command`]s; a driver commits, sends and answers.
//!
//! The protocol in one paragraph: an intent is committed before its effect is sent, with a stamp above every earlier
//! one. A reply that is not definite is resolved by raising the fence of the target and then asking it. Failure leads
//! back through the undo steps that were computed with the plan, over whatever was applied or begun, or to a human. A run
//! ends once, and whatever can no longer be reached keeps it open and loud.

mod codec;
mod decision;
mod machine;
mod outcome;
mod record;
mod resolve;
mod run;
mod trace;
mod vocabulary;

pub use codec::{CodecError, MIN_READER, SCHEMA};
pub use machine::Machine;
pub use outcome::{Cause, Known, Outcome};
pub use record::{Failure, Intent, Planned, Record, StepResult};
pub use run::{Course, JournalError, Run, StepState};
pub use vocabulary::{Command, Event, Stop};
