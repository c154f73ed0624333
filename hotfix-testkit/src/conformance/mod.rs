//! The contracts of the ports as cases that every backend passes.
//!
//! Each port has a module with a fixture trait, which the author of a backend implements, one function per sentence
//! of the contract, and an entry that runs them all: [`deployer::all`], [`version_control::all`],
//! [`incident_store::all`], [`notifier::all`], [`metrics_source::all`], [`check::all`],
//! [`silencer::all`]. Cases that a backend's capabilities rule out are skipped with the reason; every other one is run,
//! and the panic at the end names each that is broken.
//!
//! The set of cases grows with the contracts: a new version of this crate can find a defect that an old one did not.
#![expect(
    clippy::missing_errors_doc,
    reason = "a case fails in one way: the sentence that it stands for does not hold"
)]

mod call;
pub mod check;
pub mod deployer;
mod expect;
mod fence;
pub mod incident_store;
pub mod metrics_source;
pub mod notifier;
mod report;
pub mod silencer;
pub mod version_control;

pub use report::{CaseReport, CaseResult, Outcome, Report, Unmet};

/// Runs cases by name. Each gets the same arguments and a fresh target from the fixture.
macro_rules! run_cases {
    ($report:ident, $fixture:expr, [$($module:ident :: {$($case:ident),+ $(,)?}),+ $(,)?]) => {
        $($($report.run(concat!(stringify!($module), "::", stringify!($case)), $module::$case($fixture)).await;)+)+
    };
}
pub(crate) use run_cases;
