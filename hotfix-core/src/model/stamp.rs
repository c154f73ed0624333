//! The fence: a stamp per effect, totally ordered, that a target accepts only in rising order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The fencing token of one effect or seal.
///
/// `epoch` is the lease of the run's owner (it rises with every takeover), `seq` rises with every effect and seal
/// of that owner. A token per lease would not do: a delayed duplicate of our own deploy that arrives after our own
/// rollback carries the same lease.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The lease epoch.
    pub epoch: u64,
    /// The number of the effect or seal within the epoch.
    pub seq: u32,
}

impl Stamp {
    /// The stamp of a target that was never touched.
    pub const ZERO: Self = Self { epoch: 0, seq: 0 };

    /// Builds a stamp.
    #[must_use]
    pub const fn new(epoch: u64, seq: u32) -> Self {
        Self { epoch, seq }
    }

    /// Returns the next stamp of the same epoch.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { epoch: self.epoch, seq: self.seq.saturating_add(1) }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}
