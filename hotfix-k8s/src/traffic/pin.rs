//! Whether a Service that selects the pods of both slots is held to one of them, by the hash of its pod template: the
//! switch of [`super::ratio`].

use json_patch::PatchOperation;
use serde_json::Value;

use super::NotUnderstood;
use super::cursor::{At, Misfit, add, remove, replace, test};
use crate::object::ObjectRef;
use crate::slot::Side;

/// The label that the controller of a Deployment puts on the pods of each template.
pub(crate) const HASH: &str = "pod-template-hash";

/// A Service that selects the pods of both slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PinnedService {
    pub(crate) object: ObjectRef,
    /// The hash of the template that the slot `main` holds.
    pub(crate) main: String,
    /// The hash of the template that the slot `hotfix` holds.
    pub(crate) hotfix: String,
}

/// Which pods get the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pin {
    /// Those of one slot.
    To(Side),
    /// All, each the same.
    Nowhere,
}

impl PinnedService {
    /// Returns which pods the Service selects.
    pub(crate) fn read(&self, service: &Value) -> Result<Pin, NotUnderstood> {
        self.pinned(service).map(|(pin, _)| pin).map_err(|misfit| misfit.of(self.object.clone()))
    }

    /// Returns what makes the Service select as `pin` says: a test of the selector that was read, and one change.
    pub(crate) fn write(&self, service: &Value, pin: Pin) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let (now, selector) = self.pinned(service).map_err(|misfit| misfit.of(self.object.clone()))?;
        let path = selector.pointer_to(HASH);
        let change = match (now, pin) {
            (now, pin) if now == pin => return Ok(Vec::new()),
            (_, Pin::Nowhere) => remove(path),
            (Pin::Nowhere, Pin::To(side)) => add(path, self.hash(side)),
            (Pin::To(_), Pin::To(side)) => replace(path, self.hash(side)),
        };
        // Pods of another selector would be others, whatever their hash.
        Ok(vec![test(selector.pointer().clone(), selector.value().clone()), change])
    }

    fn pinned<'a>(&self, service: &'a Value) -> Result<(Pin, At<'a>), Misfit> {
        let spec = At::root(service).need("spec", "read the whole Service")?;
        let selector = spec.need("selector", "let the Service select the pods of both slots")?;
        let pin = match selector.text(HASH)? {
            None => Pin::Nowhere,
            Some(hash) if hash == self.main => Pin::To(Side::Main),
            Some(hash) if hash == self.hotfix => Pin::To(Side::Hotfix),
            Some(hash) => {
                let (main, hotfix) = (&self.main, &self.hotfix);
                let reason =
                    format!("{hash} is the template of neither slot; remove it or write {main} or {hotfix}");
                return Err(selector.need(HASH, "")?.misfit(reason));
            }
        };
        Ok((pin, selector))
    }

    fn hash(&self, side: Side) -> &str {
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
        PinnedService {
            object: ObjectRef {
                api_version: "v1",
                kind: "Service",
                namespace: "prod".to_owned(),
                name: "shop".to_owned(),
            },
            main: "aaa".to_owned(),
            hotfix: "bbb".to_owned(),
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
            (Pin::Nowhere, service(None)),
            (Pin::To(Side::Main), service(Some("aaa"))),
            (Pin::To(Side::Hotfix), service(Some("bbb"))),
        ];
        for (from, before) in &states {
            assert_eq!(pinned().read(before), Ok(*from));
            for (to, after) in &states {
                let patch = pinned().write(before, *to).unwrap();
                assert_eq!(patched(before, &patch), *after, "{from:?} to {to:?}");
                assert_eq!(patch.is_empty(), from == to);
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
    fn another_template_and_no_selector_are_refused() {
        let cases = [
            (
                service(Some("ccc")),
                "/spec/selector/pod-template-hash: ccc is the template of neither slot; remove it or write aaa or bbb",
            ),
            (
                json!({"spec": {}}),
                "/spec/selector: is not there; let the Service select the pods of both slots",
            ),
        ];
        for (service, expected) in cases {
            let refused = pinned().write(&service, Pin::Nowhere).unwrap_err().to_string();
            assert_eq!(refused, format!("Service prod/shop at {expected}"));
        }
    }
}
