//! Looking at the Leases of some targets before any is claimed: who is in the way, if anybody is.

use hotfix_core::Result;
use hotfix_core::model::{Fenced, WorkerName};
use hotfix_core::port::Claim;
use serde_json::Value;
use tokio::time::Instant;

use super::claimant::{Hold, NotOurs, Standing, epoch_of};
use super::connection::{Leases, Seen};
use super::note::Note;
use crate::api::READ_LIMIT;

/// A Lease that can be claimed, as it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    /// There is none yet if this is nothing.
    pub(super) value: Option<Value>,
}

/// How the Lease of a target stands.
#[derive(Debug)]
pub(super) enum Look {
    /// Nobody has it, or nothing can be under way in the name of whoever had it.
    Free(Found),
    /// A run has it, whether it is renewed or not.
    Held { found: Found, hold: Hold, note: Note, is_expired: bool },
}

impl Leases {
    /// Looks at the Lease of a target.
    pub(super) async fn look(&self, operation: &'static str, name: &str) -> Result<Look> {
        let found = |value| Found { name: name.to_owned(), value };
        let Some(Seen { value, standing }) = self.see(operation, name, READ_LIMIT).await? else {
            return Ok(Look::Free(found(None)));
        };
        let (hold, is_expired) = match standing {
            Standing::Free => return Ok(Look::Free(found(Some(value)))),
            Standing::Held(hold) => (hold, false),
            Standing::Expired(hold) => (hold, true),
        };
        let note = Note::read(&value)
            .and_then(|note| note.ok_or_else(|| NotOurs::Otherwise { holder: hold.holder.clone() }))
            .map_err(|reason| self.not_ours(operation, name, &reason))?;
        if is_expired && !note.stage.may_be_under_way() {
            return Ok(Look::Free(found(Some(value))));
        }
        Ok(Look::Held { found: found(Some(value)), hold, note, is_expired })
    }

    /// Says who has a target, in the words of the store.
    pub(super) fn claim(
        &self,
        operation: &'static str,
        name: &str,
        target: &Fenced,
        hold: &Hold,
        note: Note,
    ) -> Result<Claim> {
        let foreign = |_| self.not_ours(operation, name, &NotOurs::Otherwise { holder: hold.holder.clone() });
        let (now, here) = (self.now(), Instant::now());
        let expires_at = match hold.expires.checked_duration_since(here) {
            Some(left) => now + left,
            None => now - here.duration_since(hold.expires),
        };
        Ok(Claim {
            target: target.clone(),
            run: note.run,
            holder: WorkerName::new(&hold.holder).map_err(foreign)?,
            since: note.since,
            expires_at,
        })
    }
}

impl Found {
    /// The highest epoch that the Lease ever had.
    pub(super) fn epoch(&self) -> u64 {
        self.value.as_ref().map_or(0, epoch_of)
    }
}

impl Look {
    pub(super) fn into_found(self) -> Found {
        match self {
            Self::Free(found) | Self::Held { found, .. } => found,
        }
    }
}
