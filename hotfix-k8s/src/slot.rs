//! The two slots of a workload on Kubernetes: two Deployments that take turns.

use hotfix_core::model::SlotName;
use serde::{Deserialize, Serialize};

/// The names of both slots.
///
/// `main` is the Deployment that is there; `hotfix` is its copy, made by this crate, scaled to zero when it is not
/// needed. Either can be live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slots {
    pub(crate) main: SlotName,
    pub(crate) hotfix: SlotName,
}

impl Slots {
    pub(crate) fn new() -> Self {
        let name = |text| SlotName::new(text).expect("both are lower-case words");
        Self { main: name("main"), hotfix: name("hotfix") }
    }

    /// Returns which of the two a name means.
    pub(crate) fn side(&self, slot: &SlotName) -> Option<Side> {
        match slot {
            slot if *slot == self.main => Some(Side::Main),
            slot if *slot == self.hotfix => Some(Side::Hotfix),
            _ => None,
        }
    }

    /// Returns the name of a side.
    pub(crate) const fn name(&self, side: Side) -> &SlotName {
        match side {
            Side::Main => &self.main,
            Side::Hotfix => &self.hotfix,
        }
    }
}

/// One of the two Deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// The Deployment that was there first; it also carries the mark of which slot is live.
    Main,
    /// The copy.
    Hotfix,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Main, Self::Hotfix];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Main => Self::Hotfix,
            Self::Hotfix => Self::Main,
        }
    }
}
