//! What the claim of a run says on its Lease, for people and for whoever finds it unfinished.

use hotfix_core::model::{Fenced, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claimant::NotOurs;
use crate::names;

/// The annotation with the claim of a run.
pub(super) const CLAIM: &str = "hotfix.dev/claim";

/// The annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// The run.
    pub(super) run: RunId,
    /// Everything it has a Lease for.
    pub(super) claims: Vec<Fenced>,
    /// Since when it has them.
    pub(super) since: Timestamp,
    /// How far it is.
    pub(super) stage: Stage,
    /// Who gave it back in the place of whoever had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) released: Option<ByHand>,
}

/// How far a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// It is claimed, and nothing was sent yet.
    Opening,
    /// Its targets may be changed at any time.
    Driven,
    /// Everything that was sent is settled, and nothing more will be.
    Ending,
    /// It was given back.
    Released,
    /// It was left behind, and somebody seals its targets.
    Sealing,
}

/// Who released a claim that was not his, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ByHand {
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) at: Timestamp,
}

impl Note {
    /// Reads the annotation of a lease; `None` when there is none.
    pub(super) fn read(lease: &Value) -> Result<Option<Self>, NotOurs> {
        let text = lease["metadata"]["annotations"][CLAIM].as_str();
        let read = |text| {
            serde_json::from_str(text)
                .map_err(|_| NotOurs::Annotation { name: CLAIM, text: String::from(text) })
        };
        text.map(read).transpose()
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a note has string keys only")
    }

    /// The same claim, but so far.
    pub(super) fn at(&self, stage: Stage) -> Self {
        Self { stage, ..self.clone() }
    }

    pub(super) fn path() -> json_patch::jsonptr::PointerBuf {
        names::annotation(CLAIM)
    }
}

impl Stage {
    /// Whether anything may be under way to a target in the name of the claim, also when nobody renews it any more.
    pub(super) const fn may_be_under_way(self) -> bool {
        match self {
            Self::Driven | Self::Sealing => true,
            Self::Opening | Self::Ending | Self::Released => false,
        }
    }
}
