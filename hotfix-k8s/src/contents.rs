//! What ConfigMaps and Secrets held when a snapshot was taken: found out, told, and put back from their copies.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use hotfix_core::model::{Stamp, Target};
use json_patch::PatchOperation;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::api::Failure;
use crate::change::set;
use crate::copies::{copy_of, discreet};
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::fence;
use crate::lanes::Lane;
use crate::object::ObjectRef;
use crate::snapshot::hash;

/// The longest that finding out what has changed may keep a restore from its first patch. What is not known by then is
/// looked at again when the traffic has moved.
const LOOK: Duration = Duration::from_secs(1);
/// The least that it may take after it is known that the traffic can move without it. Whoever answers at all does so by
/// then, and what is seen beforehand says which pods are to be started anew.
pub(crate) const HASTE: Duration = Duration::from_millis(100);
/// The longest that putting contents back may keep a restore from its end.
const LIMIT: Duration = Duration::from_secs(5);
/// How often one is written again because somebody wrote it at the same moment.
const TRIES: usize = 8;

/// What is known of the contents that a snapshot has hashes of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// What has a copy and does not hold what it held, or may not.
    pub(crate) changed: Vec<Changed>,
    /// What is to be said of the others.
    pub(crate) said: Vec<String>,
}

/// Something that does not hold what it held, or may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) object: ObjectRef,
    /// The hash of what it held.
    pub(crate) hash: String,
    pub(crate) seen: Seen,
}

/// What was seen of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It holds something else.
    Other,
    /// It could not be read. That is no reason to start anything anew.
    Nothing,
}

/// What came of putting a content back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Written,
    /// It holds already what it held.
    Found,
}

/// Why a content was not put back.
#[derive(Debug, thiserror::Error)]
enum NotBack {
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error("the fence of {anchor} is at {current} by now, so it is left to whoever went on from here")]
    Fenced { anchor: Box<ObjectRef>, current: Stamp },
}

/// Whose claim a content is put back under: the object that every verb writes first, and the stamp that it got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) anchor: &'a ObjectRef,
    pub(crate) stamp: Stamp,
}

impl KubernetesDeployer {
    /// Finds out what of a snapshot's hashes is not so any more, at most for [`LOOK`], and no longer than until it is
    /// `late` for that.
    ///
    /// It asks in another lane than an undo: a server that has no room for this must not have the undo rest.
    pub(crate) async fn contents(
        &self,
        target: &Target,
        hashes: &BTreeMap<String, Option<String>>,
        deadline: Instant,
        late: impl Future<Output = ()> + Send,
    ) -> Contents {
        let Ok(config) = self.target(target) else { return Contents::default() };
        let (beside, until) = (self.in_lane(Lane::Forward), deadline.min(Instant::now() + LOOK));
        let late = late.shared();
        let looks = hashes.iter().filter_map(|(name, kept)| {
            let (kind, name) = name.split_once('/')?;
            let kind = ["ConfigMap", "Secret"].into_iter().find(|known| *known == kind)?;
            let (namespace, name) = (config.namespace.clone(), name.to_owned());
            let object = ObjectRef { api_version: "v1", kind, namespace, name };
            let (beside, late) = (&beside, late.clone());
            Some(async move {
                let found = tokio::select! {
                    biased;
                    found = beside.content(&object, until) => found,
                    () = late => Err(request(object.to_string(), Failure::Timeout)),
                };
                (found, object, kept.clone())
            })
        });
        let mut contents = Contents::default();
        for (found, object, kept) in join_all(looks).await {
            let is_copied = config.copies.cover(object.kind);
            match Difference::of(found, kept, is_copied) {
                Difference::None => {}
                Difference::Copied(hash, seen) => contents.changed.push(Changed { object, hash, seen }),
                Difference::Told(what) => contents.said.push(format!("{object} {what}")),
            }
        }
        contents
    }

    /// Puts contents back, and returns what is to be said of each. It never fails: nothing may keep a rollback from its
    /// end.
    pub(crate) async fn put_back(
        &self,
        target: &Target,
        changed: &[Changed],
        claim: Claim<'_>,
        deadline: Instant,
    ) -> Vec<String> {
        let now = Instant::now();
        let until = now + LIMIT.min(deadline.saturating_duration_since(now) / 2);
        let beside = &self.in_lane(Lane::Forward);
        let each = changed.iter().map(|changed| async move {
            let object = &changed.object;
            match (beside.put_one_back(target, changed, claim, until).await, changed.seen) {
                (Ok(_), Seen::Other) => Some(format!("{object} holds again what it held")),
                (Ok(Done::Found), Seen::Nothing) => None,
                (Ok(Done::Written), Seen::Nothing) => Some(format!(
                    "{object} holds again what it held; pods that read it when they started were not started anew"
                )),
                (Err(why), Seen::Other) => Some(format!("{object} does not hold what it held: {why}")),
                (Err(why), Seen::Nothing) => {
                    Some(format!("{object} may not hold what it held, nobody could see: {why}"))
                }
            }
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    async fn put_one_back(
        &self,
        target: &Target,
        Changed { object, hash: wanted, .. }: &Changed,
        claim: Claim<'_>,
        deadline: Instant,
    ) -> Result<Done, NotBack> {
        let copy = copy_of(object, &self.target(target)?.deployment, wanted);
        let kept =
            self.content(&copy, deadline).await?.ok_or_else(|| Unusable::Missing(copy.clone().into()))?;
        if hash(&kept) != *wanted {
            let reason = "it does not hold what its name says".to_owned();
            return Err(Unusable::Corrupt { object: copy.into(), reason }.into());
        }
        let mut last = Failure::Timeout;
        for _ in 0..TRIES {
            let found = self.content(object, deadline).await?;
            if found.as_ref().is_some_and(|found| hash(found) == *wanted) {
                return Ok(Done::Found);
            }
            // It has no fence of its own, so it is bound to the version that was read, and the claim to a moment after
            // that: whoever writes it when the run was taken over or ended makes another version.
            self.still_claimed(claim, deadline).await?;
            let written = match found {
                Some(found) => self.api.patch(object, &replaced(&found, &kept), deadline).await,
                None => self.api.create(object, &created(object, &kept), deadline).await,
            };
            match written {
                Ok(_) => return Ok(Done::Written),
                Err(Failure::Status(refusal)) if matches!(refusal.code, 409 | 422) => {
                    last = Failure::Status(refusal);
                }
                Err(failure) => return Err(request(object.to_string(), discreet(failure)).into()),
            }
        }
        Err(request(object.to_string(), discreet(last)).into())
    }

    async fn still_claimed(&self, claim: Claim<'_>, deadline: Instant) -> Result<(), NotBack> {
        let anchor = claim.anchor;
        let found = self.fetch(anchor, deadline).await?;
        let found = found.ok_or_else(|| Unusable::Missing(anchor.clone().into()))?;
        let current = found.fence.map_or(Stamp::ZERO, |(_, note)| note.stamp);
        if current == claim.stamp {
            return Ok(());
        }
        Err(NotBack::Fenced { anchor: anchor.clone().into(), current })
    }

    async fn content(&self, object: &ObjectRef, deadline: Instant) -> Result<Option<Value>, Unusable> {
        let found = self.api.get(object, deadline).await;
        found.map_err(|failure| request(object.to_string(), discreet(failure)))
    }
}

/// What a look at one object comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Difference {
    None,
    /// A copy holds what had this hash.
    Copied(String, Seen),
    /// Nothing can be done but to say so.
    Told(String),
}

impl Difference {
    fn of(found: Result<Option<Value>, Unusable>, kept: Option<String>, is_copied: bool) -> Self {
        let is_so = found.as_ref().ok().map(|found| found.as_ref().map(hash) == kept);
        let mend = "and there is no copy of it; put it back by hand if the release needs what it was";
        match (is_so, kept, found) {
            (Some(true), ..) => Self::None,
            (Some(false), Some(kept), _) if is_copied => Self::Copied(kept, Seen::Other),
            (None, Some(kept), _) if is_copied => Self::Copied(kept, Seen::Nothing),
            (Some(false), Some(_), Ok(None)) => {
                Self::Told(format!("was there when the snapshot was taken, {mend}"))
            }
            (Some(false), Some(_), _) => {
                Self::Told(format!("is not what it was when the snapshot was taken, {mend}"))
            }
            (Some(false), None, _) => {
                Self::Told("was not there when the snapshot was taken, and is left".to_owned())
            }
            (None, _, Err(why)) => Self::Told(format!(
                "may not be what it was when the snapshot was taken, nobody could see: {why}"
            )),
            (None, _, Ok(_)) => Self::None,
        }
    }
}

/// What makes exactly the version that was read hold the content of another; the rest of it stays.
fn replaced(found: &Value, kept: &Value) -> Vec<PatchOperation> {
    let field = |name: &str| Some(kept[name].clone()).filter(|value| !value.is_null());
    let mut patch = vec![fence::tested(found, "uid"), fence::tested(found, "resourceVersion")];
    for name in ["data", "binaryData"] {
        patch.extend(set(found, [name], field(name)));
    }
    patch
}

fn created(object: &ObjectRef, kept: &Value) -> Value {
    let mut value = json!({
        "apiVersion": object.api_version,
        "kind": object.kind,
        "metadata": {"name": object.name, "namespace": object.namespace},
    });
    for name in ["data", "binaryData"] {
        if !kept[name].is_null() {
            value[name] = kept[name].clone();
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use json_patch::Patch;

    use super::*;
    use crate::api::Refusal;

    #[test]
    fn what_cannot_be_read_is_no_change_and_what_has_no_copy_is_told() {
        let (calm, loud) = (json!({"data": {"LEVEL": "calm"}}), json!({"data": {"LEVEL": "loud"}}));
        let kept = hash(&calm);
        let forbidden = || {
            let refusal = Refusal { code: 403, reason: "Forbidden".to_owned(), ..Refusal::default() };
            Err(request("ConfigMap prod/flags".to_owned(), Failure::Status(refusal)))
        };
        let told = |what: &str| Difference::Told(what.to_owned());
        let mend = "and there is no copy of it; put it back by hand if the release needs what it was";
        let unseen = "may not be what it was when the snapshot was taken, nobody could see: ConfigMap prod/flags cannot \
                      be read or written: HTTP 403 Forbidden";
        let (other, nothing) =
            (Difference::Copied(kept.clone(), Seen::Other), Difference::Copied(kept.clone(), Seen::Nothing));
        let cases = [
            (Ok(Some(calm.clone())), Some(&kept), Difference::None, Difference::None),
            (Ok(None), None, Difference::None, Difference::None),
            (
                Ok(Some(loud.clone())),
                Some(&kept),
                other.clone(),
                told(&format!("is not what it was when the snapshot was taken, {mend}")),
            ),
            (Ok(None), Some(&kept), other, told(&format!("was there when the snapshot was taken, {mend}"))),
            (forbidden(), Some(&kept), nothing, told(unseen)),
            (
                Ok(Some(loud)),
                None,
                told("was not there when the snapshot was taken, and is left"),
                told("was not there when the snapshot was taken, and is left"),
            ),
            (forbidden(), None, told(unseen), told(unseen)),
        ];
        for (found, kept, copied, bare) in cases {
            assert_eq!(Difference::of(found.clone(), kept.cloned(), true), copied, "{found:?}, copied");
            assert_eq!(Difference::of(found.clone(), kept.cloned(), false), bare, "{found:?}");
        }
    }

    #[test]
    fn only_the_content_is_put_back() {
        let mut found = json!({
            "metadata": {"uid": "u", "resourceVersion": "7", "labels": {"team": "shop"}},
            "data": {"LEVEL": "loud", "NEW": "1"},
            "binaryData": {"x": "AA=="},
        });
        let kept =
            json!({"metadata": {"labels": {"other": "1"}}, "data": {"LEVEL": "calm"}, "immutable": true});
        let patch = replaced(&found, &kept);
        let metadata = found["metadata"].clone();
        json_patch::patch(&mut found, &Patch(patch)).unwrap();
        assert_eq!(found, json!({"metadata": metadata, "data": {"LEVEL": "calm"}}));
    }
}
