//! The contracts of the ports as cases that every backend passes.
//!
//! Each port has a module with a fixture trait, which the author of a backend implements, one function per sentence
//! of the contract, and an entry that runs them all: [`deployer::all`], [`version_control::all`],

//! are skipped with the reason; every other one is run, and the panic at the end names each that is broken.
#![expect(
    clippy::missing_errors_doc,
    reason = "a case fails in one way: the sentence that it stands for does not hold"
)]

mod call;
pub mod deployer;
mod expect;
mod fence;
mod report;

pub mod incident_store;
pub mod version_control;

pub use report::{CaseReport, CaseResult, Outcome, Report, Unmet};

/// Runs cases by name. Each gets the same arguments and a fresh target from the fixture.
macro_rules! run_cases {
    ($report:ident, $fixture:expr, [$($module:ident :: {$($case:ident),+ $(,)?}),+ $(,)?]) => {
        $($($report.run(concat!(stringify!($module), "::", stringify!($case)), $module::$case($fixture)).await;)+)+
    };
}
pub(crate) use run_cases;
