//! Whether a Service that selects the pods of both slots is held to one of them, by the hash of its pod template: the
//! switch of [`super::dial`].

use json_patch::PatchOperation;
use serde_json::Value;

use super::NotUnderstood;
use super::cursor::{At, Misfit, add, remove, replace, test};
use crate::object::ObjectRef;
use crate::replica_set::{HASH, Hashes};
use crate::slot::Side;

/// A Service that selects the pods of both slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PinnedService {
    pub(crate) object: ObjectRef,
    /// The hashes of the templates of the slot `main`.
    pub(crate) main: Hashes,
    /// The hashes of the templates of the slot `hotfix`.
    pub(crate) hotfix: Hashes,
}

/// Which pods are to get the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pin {
    /// Those of the template that a slot has now.
    To(Side),
    /// All, each the same.
    Nowhere,
}

/// Which pods get the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selected {
    /// Those of the template that a slot has now.
    Current(Side),
    /// Those of a template that a slot had before.
    Older(Side),
    /// All, each the same.
    Both,
    /// Those of a template of neither slot.
    Foreign,
}

impl PinnedService {
    /// Returns which pods the Service selects.
    pub(crate) fn read(&self, service: &Value) -> Result<Selected, NotUnderstood> {
        let selected = self.selector(service).and_then(|selector| self.selected(&selector));
        selected.map_err(|misfit| misfit.of(self.object.clone()))
    }

    /// Returns what makes the Service select as `pin` says: a test of the selector that was read, and one change.
    pub(crate) fn write(&self, service: &Value, pin: Pin) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let changes = self.selector(service).and_then(|selector| self.changes(&selector, pin));
        changes.map_err(|misfit| misfit.of(self.object.clone()))
    }

    /// What is wrong with a hash of neither slot.
    pub(crate) fn foreign(&self, service: &Value) -> NotUnderstood {
        let misfit = match self.selector(service) {
            Ok(selector) => {
                let shown = At::shown(&selector.field(HASH).ok().flatten().unwrap_or(selector.clone()));
                let reason = format!("{shown} is the hash of a template of neither slot; remove it");
                Misfit { path: selector.pointer_to(HASH).to_string(), reason }
            }
            Err(misfit) => misfit,
        };
        misfit.of(self.object.clone())
    }

    fn selector<'a>(&self, service: &'a Value) -> Result<At<'a>, Misfit> {
        let spec = At::root(service).need("spec", "read the whole Service")?;
        spec.need("selector", "let the Service select the pods of both slots")
    }

    fn selected(&self, selector: &At<'_>) -> Result<Selected, Misfit> {
        let Some(hash) = selector.text(HASH)? else { return Ok(Selected::Both) };
        let is_current = |side: &Side| self.hashes(*side).current.as_deref() == Some(hash);
        let is_older = |side: &Side| self.hashes(*side).older.contains(hash);
        let current = Side::BOTH.into_iter().find(is_current).map(Selected::Current);
        let older = || Side::BOTH.into_iter().find(is_older).map(Selected::Older);
        Ok(current.or_else(older).unwrap_or(Selected::Foreign))
    }

    fn changes(&self, selector: &At<'_>, pin: Pin) -> Result<Vec<PatchOperation>, Misfit> {
        let path = selector.pointer_to(HASH);
        let now = selector.text(HASH)?;
        let change = match pin {
            Pin::Nowhere if now.is_none() => return Ok(Vec::new()),
            Pin::Nowhere => remove(path),
            Pin::To(side) => match (now, self.hashes(side).current.as_deref()) {
                (now, Some(hash)) if now == Some(hash) => return Ok(Vec::new()),
                (None, Some(hash)) => add(path, hash),
                (Some(_), Some(hash)) => replace(path, hash),
                (_, None) => return Err(selector.misfit("no ReplicaSet has the slot's template yet; wait")),
            },
        };
        // Pods of another selector would be others, whatever their hash.
        Ok(vec![test(selector.pointer().clone(), selector.value().clone()), change])
    }

    pub(crate) const fn hashes(&self, side: Side) -> &Hashes {
        match side {
            Side::Main => &self.main,
            Side::Hotfix => &self.hotfix,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::patched::{json as golden, patched};
    use super::*;

    fn pinned() -> PinnedService {
        let hashes = |current: &str, older: &str| Hashes {
            current: Some(current.to_owned()),
            older: [older.to_owned()].into(),
        };
        PinnedService {
            object: ObjectRef::service("prod", "shop"),
            main: hashes("aaa", "a"),
            hotfix: hashes("bbb", "b"),
        }
    }

    fn service(hash: Option<&str>) -> Value {
        let mut service = json!({"spec": {"selector": {"app": "shop"}, "clusterIP": "10.0.0.7"}});
        if let Some(hash) = hash {
            service["spec"]["selector"][HASH] = json!(hash);
        }
        service
    }

    #[test]
    fn every_pin_leads_to_every_other() {
        let states = [
            (Selected::Both, Some(Pin::Nowhere), service(None)),
            (Selected::Current(Side::Main), Some(Pin::To(Side::Main)), service(Some("aaa"))),
            (Selected::Current(Side::Hotfix), Some(Pin::To(Side::Hotfix)), service(Some("bbb"))),
            (Selected::Older(Side::Main), None, service(Some("a"))),
            (Selected::Older(Side::Hotfix), None, service(Some("b"))),
            (Selected::Foreign, None, service(Some("ccc"))),
        ];
        for (from, _, before) in &states {
            assert_eq!(pinned().read(before), Ok(*from));
            for (_, to, after) in &states {
                let Some(to) = to else { continue };
                let patch = pinned().write(before, *to).unwrap();
                assert_eq!(patched(before, &patch), *after, "{from:?} to {to:?}");
                assert_eq!(patch.is_empty(), before == after);
            }
        }
    }

    #[test]
    fn the_selector_that_was_read_is_tested() {
        let patch = pinned().write(&service(None), Pin::To(Side::Main)).unwrap();
        let expected = json!([
            {"op": "test", "path": "/spec/selector", "value": {"app": "shop"}},
            {"op": "add", "path": "/spec/selector/pod-template-hash", "value": "aaa"},
        ]);
        assert_eq!(golden(patch), expected);
    }

    #[test]
    fn what_cannot_be_read_or_written_is_named() {
        let unseen = PinnedService { main: Hashes::default(), ..pinned() };
        let cases = [
            (
                pinned().foreign(&service(Some("ccc"))),
                "/spec/selector/pod-template-hash: \"ccc\" is the hash of a template of neither slot; remove it",
            ),
            (
                unseen.write(&service(None), Pin::To(Side::Main)).unwrap_err(),
                "/spec/selector: no ReplicaSet has the slot's template yet; wait",
            ),
            (
                pinned().read(&json!({"spec": {}})).unwrap_err(),
                "/spec/selector: is not there; let the Service select the pods of both slots",
            ),
        ];
        for (refused, expected) in cases {
            assert_eq!(refused.to_string(), format!("Service prod/shop at {expected}"));
        }
    }
}
