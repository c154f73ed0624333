//! Which verbs the sync of owners is off for, and what becomes of it when one of them changed nothing.

use hotfix_core::model::{Stamp, Target, Verb, VerbName};
use hotfix_core::port::{Call, Reply};
use tokio::time::{Duration, Instant};

use super::fenced::{Decision, is_unclaimed};
use super::give_back::{Given, give_back};
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;

/// How long giving back may take. The time of the call can be up, and nobody else would do it.
const LIMIT: Duration = Duration::from_secs(5);

/// Whether a verb changes what the owners would take back. What a restore does, they would do themselves, and what is
/// retired is not theirs.
pub(crate) fn is_taken_back(verb: &Verb) -> bool {
    !matches!(verb.name(), VerbName::Restore | VerbName::Retire)
}

impl KubernetesDeployer {
    /// Gives the sync back after a call that surely changed nothing, if nobody else got to the target since it is off.
    /// Whether this very call switched it off does not matter: an earlier attempt whose answer was lost may have.
    pub(crate) async fn let_go(&self, (call, target): (&Call, &Target), verb: &Verb, reply: &Reply) {
        if is_taken_back(verb) && matches!(reply, Reply::Rejected(_) | Reply::Conflict(_)) {
            let given = self.give_back_unclaimed(target, call.stamp, Instant::now() + LIMIT).await;
            if let Err(unusable) = given {
                tracing::warn!(%target, %unusable, "whether the sync of its owners is off is not known");
            }
        }
    }

    async fn give_back_unclaimed(
        &self,
        target: &Target,
        stamp: Stamp,
        deadline: Instant,
    ) -> Result<(), Unusable> {
        let owners: Vec<_> = self.target(target)?.on_gitops.named().collect();
        if owners.is_empty() {
            return Ok(());
        }
        let claimed = self.claimed(target, deadline).await?;
        for owner in owners {
            let given = self.change_owner(owner, deadline, |value, note| {
                Ok::<_, Unusable>(if is_unclaimed(note, target, claimed) {
                    give_back(owner.tool(), value, note, target, stamp)
                } else {
                    Decision::leave(Given::NotOurs)
                })
            });
            match given.await? {
                Given::NotOurs => {}
                given => tracing::info!(%target, "{}", given.sentence(&owner.object())),
            }
        }
        Ok(())
    }
}
