//! References and fences: batches that move together or not at all.

use std::collections::{BTreeMap, BTreeSet};

use super::AcceptedBatch;
use super::objects::Objects;
use crate::memory::fence::{Admission, FenceBook};
use crate::memory::script::refuse;
use crate::model::{ObjectId, RefBatch, RefName, RefUpdate, ServiceName, TagName};
use crate::port::{Call, Conflict, Receipt, Rejection, Reply, TagFact};

/// A repository.
#[derive(Default)]
pub(super) struct Repository {
    pub(super) objects: Objects,
    pub(super) refs: BTreeMap<RefName, ObjectId>,
    pub(super) checked_out: BTreeSet<RefName>,
    pub(super) fences: BTreeMap<ServiceName, FenceBook>,
    pub(super) accepted: Vec<AcceptedBatch>,
}

impl Repository {
    pub(super) fn resolve(&self, revision: &str) -> Option<ObjectId> {
        let named = [revision.to_owned(), format!("refs/tags/{revision}"), format!("refs/heads/{revision}")];
        let mut refs = named.iter().filter_map(|name| self.refs.get(&RefName::new(name).ok()?));
        let id = refs.next().cloned().or_else(|| self.objects.abbreviated(revision))?;
        self.objects.peel(&id)
    }

    pub(super) fn tags(&self) -> BTreeMap<TagName, TagFact> {
        let tags = self.refs.iter().filter(|(name, _)| name.is_tag());
        let facts = tags.filter_map(|(name, id)| {
            let commit = self.objects.peel(id)?;
            let tree = self.objects.commit(&commit)?.tree.clone();
            Some((TagName::new(name.short()).ok()?, TagFact { commit, tree }))
        });
        facts.collect()
    }

    pub(super) fn apply(&mut self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply {
        let fence = self.fences.entry(service.clone()).or_default();
        match fence.admit(call) {
            Err(conflict) => return Reply::Conflict(conflict),
            Ok(Admission::Repeated(receipt)) => return Reply::Applied(receipt),
            Ok(Admission::Fresh) => {}
        }
        if let Err(rejection) = self.check(batch) {
            return Reply::Rejected(rejection);
        }
        if let Some(conflict) = batch.updates.iter().find_map(|update| self.drift(update)) {
            return Reply::Conflict(conflict);
        }
        let receipt = Receipt(format!("{} reference(s) at {}", batch.updates.len(), call.stamp));
        self.fences.entry(service.clone()).or_default().accept(call, receipt.clone());
        for update in &batch.updates {
            self.set(&update.name, update.new.clone());
        }
        self.accepted.push(AcceptedBatch {
            service: service.clone(),
            stamp: call.stamp,
            key: call.key.clone(),
            batch: batch.clone(),
        });
        Reply::Applied(receipt)
    }

    pub(super) fn set(&mut self, name: &RefName, value: Option<ObjectId>) {
        match value {
            Some(id) => self.refs.insert(name.clone(), id),
            None => self.refs.remove(name),
        };
    }

    /// Refuses what no repository should do, whatever its references hold.
    fn check(&self, batch: &RefBatch) -> Result<(), Rejection> {
        let mut names = BTreeSet::new();
        for update in &batch.updates {
            if !names.insert(&update.name) {
                return Err(refuse(format!("{} is named twice in one batch", update.name)));
            }
            self.check_update(update)?;
        }
        if names.is_empty() { Err(refuse("the batch is empty")) } else { Ok(()) }
    }

    fn check_update(&self, update: &RefUpdate) -> Result<(), Rejection> {
        let RefUpdate { name, old, new } = update;
        if name.is_tag() && old.is_some() {
            return Err(refuse(format!("{name} is a tag; tags are never moved and never deleted")));
        }
        if name.as_str().starts_with("refs/hotfix/") {
            return Err(refuse(format!("{name} belongs to the fence and is not moved by a batch")));
        }
        if old != new && self.checked_out.contains(name) {
            return Err(refuse(format!("{name} is checked out in a work tree and cannot be moved")));
        }
        match new {
            Some(id) if self.objects.peel(id).is_none() => Err(refuse(format!("object {id} does not exist"))),
            Some(id) if self.objects.is_tag(id) && !name.is_tag() => {
                Err(refuse(format!("{id} is a tag object; {name} must hold a commit")))
            }
            _ => Ok(()),
        }
    }

    fn drift(&self, update: &RefUpdate) -> Option<Conflict> {
        let found = self.refs.get(&update.name);
        let show = |id: Option<&ObjectId>| match id {
            Some(id) => format!("{} at {id}", update.name),
            None => format!("no {}", update.name),
        };
        (found != update.old.as_ref())
            .then(|| Conflict::Drifted { expected: show(update.old.as_ref()), found: show(found) })
    }
}
