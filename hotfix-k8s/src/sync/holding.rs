//! The syncs that one call switched off.

use std::collections::BTreeSet;

use hotfix_core::model::{Target, Verb, VerbName};
use hotfix_core::port::{Call, Reply};
use tokio::time::Instant;

use super::give_back::When;
use super::hold::Whereabouts;
use super::named::SyncOwner;
use crate::deployer::KubernetesDeployer;

/// The owners whose sync a call switched off. One that surely changed nothing leaves none of them off.
#[derive(Debug, Default)]
pub(crate) struct Holding(Vec<SyncOwner>);

impl Holding {
    /// Whether a verb changes what the owners would take back. What a restore does, they would do themselves, and what
    /// is retired is not theirs.
    pub(crate) fn is_needed(verb: &Verb) -> bool {
        !matches!(verb.name(), VerbName::Restore | VerbName::Retire)
    }

    /// Has the sync of every owner of the target off.
    pub(crate) async fn hold(
        &mut self,
        deployer: &KubernetesDeployer,
        (call, target): (&Call, &Target),
        whereabouts: Whereabouts,
        deadline: Instant,
    ) -> Result<(), Reply> {
        let held = deployer.hold_sync(target, call.stamp, whereabouts, deadline, &mut self.0).await;
        held.map_err(|unheld| unheld.reply())
    }

    /// Gives back what was switched off, if the answer says that nothing was changed.
    pub(crate) async fn let_go(
        &self,
        deployer: &KubernetesDeployer,
        (call, target): (&Call, &Target),
        reply: &Reply,
        deadline: Instant,
    ) {
        if !matches!(reply, Reply::Ambiguous(_)) && !self.0.is_empty() {
            let when = When::Now { except: BTreeSet::new() };
            deployer.give_sync_back(target, call.stamp, &when, deadline).await;
        }
    }
}
