//! Raising the fence of every object of a target, the anchor first.

use hotfix_core::model::{Stamp, Target};
use hotfix_core::port::{Seal, Sealed};
use tokio::time::Instant;

use crate::api::{Failure, READ_LIMIT};
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::fence::{self, Note, SealNote};
use crate::in_place::SetKind;
use crate::shape::Names;
use crate::sight::Object;

/// How often the fence of one object is raised again because somebody else wrote it at the same moment.
const TRIES: usize = 16;

enum Unsealed {
    Overtaken(Stamp),
    Unreachable(String),
    Unusable(Unusable),
}

impl From<Unusable> for Unsealed {
    fn from(unusable: Unusable) -> Self {
        Self::Unusable(unusable)
    }
}

impl KubernetesDeployer {
    /// Raises the fence. From the answer on, no patch that was made before can be applied: each compares the text of
    /// the fence it read.
    pub(crate) async fn raise(&self, target: &Target, stamp: Stamp) -> Seal {
        match self.try_raise(target, stamp).await {
            Ok(previous) => Seal::Sealed(Sealed { previous }),
            Err(Unsealed::Overtaken(current)) => Seal::Overtaken { current },
            Err(Unsealed::Unreachable(cause)) => Seal::Unreachable { cause },
            Err(Unsealed::Unusable(unusable)) => Seal::Unreachable { cause: unusable.to_string() },
        }
    }

    async fn try_raise(&self, target: &Target, stamp: Stamp) -> Result<Stamp, Unsealed> {
        let deadline = Instant::now() + READ_LIMIT;
        // The source of truth first: nothing that was read before can be pushed from here on.
        if let Some((config, repository)) = self.repository(target)? {
            match repository.seal(&config.service, stamp).await {
                Seal::Sealed(_) => {}
                Seal::Overtaken { current } => return Err(Unsealed::Overtaken(current)),
                Seal::Unreachable { cause } => return Err(Unsealed::Unreachable(cause)),
            }
        }
        self.memory.forget_route(target);
        let objects = self.objects(target, deadline).await?;
        let notes = Object::notes(&objects);
        let current = fence::highest(&notes);
        if current > stamp {
            return Err(Unsealed::Overtaken(current));
        }
        // A seal that is repeated answers as it did the first time.
        let again = notes.iter().filter_map(|note| note.sealed.as_ref()).find(|seal| seal.stamp == stamp);
        let previous = again.map_or(current, |seal| seal.previous);
        let mut seal = SealNote { stamp, previous };
        for object in objects {
            seal = self.raise_one(object, seal, deadline).await?;
        }
        if let Some(kind) = SetKind::of(self.target(target)?.workload) {
            self.touch_ending(target, kind, stamp).await?;
        }
        if let Some(current) = self.seal_owners(target, (stamp, seal.previous), deadline).await? {
            return Err(Unsealed::Overtaken(current));
        }
        Ok(seal.previous)
    }

    /// Raises the fence of one object, and returns the seal as it stands there: what was accepted since it was read is
    /// before it too.
    async fn raise_one(
        &self,
        object: Object,
        mut seal: SealNote,
        deadline: Instant,
    ) -> Result<SealNote, Unsealed> {
        let reference = object.reference.clone();
        let mut found = Some(object);
        let mut last = Failure::Timeout;
        for _ in 0..TRIES {
            let Some(object) = found.take() else { return Ok(seal) };
            if let Some((_, note)) = &object.fence
                && note.stamp < seal.stamp
            {
                seal.previous = seal.previous.max(note.stamp);
            }
            let patch = match &object.fence {
                // Somebody took the fence away; without it, older calls would be accepted again.
                None => fence::first(&object.value, &Note::default().sealed(seal.clone())),
                Some((_, note)) if note.stamp > seal.stamp => return Err(Unsealed::Overtaken(note.stamp)),
                Some((_, note)) if note.stamp == seal.stamp && note.sealed.as_ref() == Some(&seal) => {
                    return Ok(seal);
                }
                Some((text, note)) => fence::guard(&object.value, text, &note.sealed(seal.clone())),
            };
            match self.api.patch(&reference, &patch, deadline).await {
                Ok(_) => return Ok(seal),
                Err(Failure::Status(refusal)) if matches!(refusal.code, 409 | 422) => {
                    last = Failure::Status(refusal);
                }
                Err(failure) => return Err(request(reference.to_string(), failure).into()),
            }
            found = self.fetch(&reference, deadline).await?;
        }
        Err(request(reference.to_string(), last).into())
    }

    /// Reads the objects of a target that are there, the anchor first. The Deployment must be; an object that was
    /// deleted takes no patches and needs no fence.
    pub(crate) async fn objects(&self, target: &Target, deadline: Instant) -> Result<Vec<Object>, Unusable> {
        let config = self.target(target)?;
        let names = Names::of(config);
        if SetKind::of(config.workload).is_some() || config.on_gitops.in_git().is_some() {
            let main = self.fetch(&names.main, deadline).await?;
            return Ok(vec![main.ok_or(Unusable::Missing(names.main.into()))?]);
        }
        let (main, hotfix, route, autoscaler) = tokio::join!(
            self.fetch(&names.main, deadline),
            self.fetch(&names.hotfix, deadline),
            self.fetch(&names.route, deadline),
            self.fetch_any(names.autoscaler.as_ref(), deadline),
        );
        let main = main?.ok_or(Unusable::Missing(names.main.into()))?;
        Ok([route?, Some(main), hotfix?, autoscaler?].into_iter().flatten().collect())
    }
}
