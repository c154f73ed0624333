//! One change of an owner: its note and its sync in one step, which holds for exactly what was read.

use hotfix_core::model::{Stamp, Target};
use json_patch::PatchOperation;
use serde_json::Value;
use tokio::time::Instant;

use super::give_back::give_back;
use super::named::SyncOwner;
use super::note::{Entry, Note, Off};
use crate::api::Failure;
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::fence;
use crate::names;

/// How often a change is decided anew. The controllers of owners write their status all the time.
const TRIES: usize = 16;

/// What is decided of an owner that was read.
pub(super) struct Decision<T> {
    pub(super) answer: T,
    /// The note to leave and the change of the sync that goes with it.
    pub(super) write: Option<(Note, Vec<PatchOperation>)>,
}

impl<T> Decision<T> {
    pub(super) const fn leave(answer: T) -> Self {
        Self { answer, write: None }
    }

    pub(super) const fn write(answer: T, note: Note, patch: Vec<PatchOperation>) -> Self {
        Self { answer, write: Some((note, patch)) }
    }
}

/// Whether the sync is off for a call that never got to the target, where `claimed` is the highest stamp.
pub(super) fn is_unclaimed(note: &Note, target: &Target, claimed: Stamp) -> bool {
    matches!(note.off(target), Some(Off::Run(since)) if since > claimed)
}

impl KubernetesDeployer {
    /// Reads an owner, decides and writes; all again when somebody wrote in between.
    pub(super) async fn change_owner<T, E: From<Unusable>>(
        &self,
        owner: &SyncOwner,
        deadline: Instant,
        decide: impl Fn(&Value, &Note) -> Result<Decision<T>, E>,
    ) -> Result<T, E> {
        let object = owner.object();
        let mut last = Failure::Timeout;
        for _ in 0..TRIES {
            let value = self.owner(owner, deadline).await?;
            let note = self.note(owner, &value)?;
            let Decision { answer, write } = decide(&value, &note)?;
            let Some((note, change)) = write else { return Ok(answer) };
            let patch = [fence::annotated(&value, names::SYNC, note.text()), change].concat();
            match self.api.patch(&object, &patch, deadline).await {
                Ok(_) => return Ok(answer),
                Err(Failure::Status(refusal)) if matches!(refusal.code, 409 | 422) => {
                    last = Failure::Status(refusal);
                }
                Err(failure) => return Err(request(object.to_string(), failure).into()),
            }
        }
        Err(request(object.to_string(), last).into())
    }

    pub(crate) async fn owner(&self, owner: &SyncOwner, deadline: Instant) -> Result<Value, Unusable> {
        let object = owner.object();
        match self.api.get(&object, deadline).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(Unusable::Missing(object.into())),
            Err(failure) => Err(request(object.to_string(), failure)),
        }
    }

    pub(super) fn note(&self, owner: &SyncOwner, value: &Value) -> Result<Note, Unusable> {
        let corrupt = |reason| Unusable::Corrupt { object: owner.object().into(), reason };
        Note::read(value).map_err(corrupt)
    }

    /// Raises the fence of the owners of a target, which was raised at the target from `previous` before. `Some` is a
    /// higher stamp that one of them holds. An owner that was deleted takes no patches and needs no fence.
    ///
    /// A sync that is off for a call that never got to the target comes back: it never will from here on, and a run that
    /// ends now has nothing to undo, so nobody else would.
    pub(crate) async fn seal_owners(
        &self,
        target: &Target,
        (stamp, previous): (Stamp, Stamp),
        deadline: Instant,
    ) -> Result<Option<Stamp>, Unusable> {
        for owner in self.target(target)?.on_gitops.named() {
            let raised = self.change_owner(owner, deadline, |value, note| {
                let (current, off) = (note.stamp(target), note.off(target));
                if current >= stamp {
                    return Ok::<_, Unusable>(Decision::leave(current));
                }
                if is_unclaimed(note, target, previous) {
                    let Decision { write, .. } = give_back(owner.tool(), value, note, target, stamp);
                    return Ok(Decision { answer: stamp, write });
                }
                let next = note.with(target, Entry { stamp, off });
                Ok(Decision::write(stamp, next, Vec::new()))
            });
            match raised.await {
                Ok(current) if current > stamp => return Ok(Some(current)),
                Ok(_) | Err(Unusable::Missing(_)) => {}
                Err(unusable) => return Err(unusable),
            }
        }
        Ok(None)
    }
}
