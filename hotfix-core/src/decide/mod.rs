//! Decides what happens next at a weight: go on, stay, go back, or stay and ask a human. Pure.
//!
//! A driver makes one [`Verification`] per rollout, feeds it each [`Sample`](crate::model::Sample) and what is wrong
//! with the canary's instances, and does what the [`Ruling`](crate::model::Ruling) says:
//!
//! ```
//! use hotfix_core::decide::{Gate, Verification};
//! use hotfix_core::model::{Counts, Dispersion, Ruling, Sample, Timestamp, VerificationRules};
//!
//! # fn main() -> Result<(), hotfix_core::model::InvalidValue> {
//! let rules = VerificationRules::default();
//! let mut rollout = Verification::new(&rules, Gate::at(10)?, 3, Dispersion::NONE)?;
//! let broken = Sample::counted(Timestamp::UNIX_EPOCH, Counts::new(75, 75)?, Counts::new(675, 1)?);
//!
//! let (_, first) = rollout.observe(&broken, &[]);
//! assert!(matches!(first, Ruling::Hold { .. }), "no single scrape decides");
//! let (_, second) = rollout.observe(&broken, &[]);
//! assert!(matches!(second, Ruling::RollBack { .. }));
//! assert_eq!(
//!     second.to_string(),
//!     "roll back: canary 150 errors in 150 requests against 2 in 1350 (evidence 259 ≥ 100)"
//! );
//! # Ok(())
//! # }
//! ```

mod checks;
mod gate;
mod health;
mod progress;
mod rules;
mod thresholds;
mod transcript;
mod verification;
mod watch;

pub use checks::Checks;
pub use gate::Gate;
pub use health::Health;
pub use progress::Progress;
pub use rules::{Situation, decide};
pub use thresholds::Thresholds;
pub use verification::Verification;
pub use watch::Watch;
