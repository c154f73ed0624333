//! A mockall mock of each port, for tests that script single calls.
//!
//! A mock answers what it is told, also what no backend would: use it to see how a caller handles one odd answer. To
//! see how a caller behaves over many calls, use the strict backends of [`memory`](crate::memory).
//!
//! ```
//! use hotfix_core::mock::MockIdSource;
//! use hotfix_core::port::IdSource;
//!
//! let mut ids = MockIdSource::new();
//! ids.expect_fresh().withf(|prefix| prefix == "run").return_const("run-7");
//! assert_eq!(ids.fresh("run"), "run-7");
//! ```

pub use crate::port::mocks::{
    MockCheck, MockClock, MockDeployer, MockIdSource, MockIncidentStore, MockMetricsSource, MockNotifier,
    MockSilencer, MockVersionControl,
};
