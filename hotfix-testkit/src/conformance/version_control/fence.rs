//! The fence of a service's references.

use async_trait::async_trait;
use hotfix_core::model::{IdempotencyKey, RefName, RefUpdate, Stamp};
use hotfix_core::port::{Call, Probe, Reply, Seal};

use super::super::fence::{self, Gate};
use super::super::report::{Outcome, Unmet};
use super::VersionControlFixture;
use super::history::{HISTORY, Repository, SHOP, branch, service};

/// Declares a case that is the same for every mutating port.
macro_rules! fence_cases {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        pub async fn $name(fixture: &dyn VersionControlFixture) -> Outcome {
            fence::$name(&fixture.repository(&HISTORY).await).await
        }
    )+};
}

fence_cases! {
    /// A stamp that is not above the fence is refused with the fence's stamp, and nothing moves.
    stale_and_equal_stamps_are_refused;
    /// A key that was applied answers `Applied` again and moves nothing, even if its effect was undone since.
    a_repeated_key_is_not_applied_again;
    /// A delayed copy of a call is refused once a later effect was accepted, though its old values hold again.
    a_late_duplicate_is_refused;
    /// `seal` raises the fence, tells the stamp before, and moves nothing.
    a_seal_raises_the_fence_and_nothing_else;
    /// The same seal again is `Sealed`; a lower one is `Overtaken`; a call above it passes.
    a_seal_can_be_repeated_and_overtaken;
    /// After a seal no older call is applied, and the probe says so.
    nothing_older_passes_a_seal;
    /// `probe` finds a key that was applied, also after later effects, and no other.
    a_probe_tells_applied_from_not_applied;
    /// Of two calls with the same stamp at the same time, exactly one is applied.
    of_two_equal_stamps_one_wins;
}

fn branches() -> [RefName; 3] {
    ["change-0", "change-1", "change-2"].map(branch)
}

#[async_trait]
impl Gate for Repository {
    async fn change(&self, call: &Call, number: u16) -> Reply {
        let name = branch(&format!("change-{number}"));
        let commit = self.commits["fix"].clone();
        self.apply(call, vec![RefUpdate::create(name, commit)]).await
    }

    async fn undo(&self, call: &Call) -> Reply {
        let mut updates = Vec::new();
        for name in branches() {
            if let Ok(Some(commit)) = self.value(&name).await {
                updates.push(RefUpdate::delete(name, commit));
            }
        }
        self.apply(call, updates).await
    }

    async fn seal(&self, stamp: Stamp) -> Seal {
        self.control.seal(&service(SHOP), stamp).await
    }

    async fn probe(&self, key: &IdempotencyKey) -> Probe {
        self.control.probe(&service(SHOP), key).await
    }

    async fn stamp(&self) -> Result<Stamp, Unmet> {
        Ok(self.observe(&[], &[]).await?.stamp)
    }

    async fn picture(&self) -> Result<String, Unmet> {
        let facts = self.observe(&branches(), &[]).await?;
        Ok(format!("{:?} {:?}", facts.refs, facts.tags))
    }
}
