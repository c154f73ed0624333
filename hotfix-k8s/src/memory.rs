//! What was seen of targets before: guesses that save rounds of reads. Whoever acts on one has the server compare it, or
//! compares it with what that answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hotfix_core::model::{Target, Weights};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sight::{Object, Sight};
use crate::slot::Side;

/// What was seen of the targets of a deployer.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<BTreeMap<Target, Remembered>>>);

/// What was seen of a target the last time.
#[derive(Clone)]
pub(crate) struct Remembered {
    /// The label selector of its pods. A Deployment never changes it.
    pub(crate) selector: String,
    /// Of each slot, a pod that was ready.
    pub(crate) ready: [Option<String>; 2],
    /// The rest of it as text, while traffic is away from the slot that is live.
    away: Option<Box<[u8]>>,
}

/// What of a target has no part in whether its main Deployment serves.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rest {
    pub(crate) route: Value,
    pub(crate) hotfix: Option<Value>,
    pub(crate) autoscaler: Option<Value>,
}

impl Memory {
    pub(crate) fn of(&self, target: &Target) -> Option<Remembered> {
        self.lock().get(target).cloned()
    }

    /// Takes in a target whose pods were all read.
    pub(crate) fn saw(&self, target: &Target, selector: String, sight: &Sight) {
        let ready = Side::BOTH.map(|side| sight.ready_pod(side).map(str::to_owned));
        let away = Rest::away(sight, &sight.route.value);
        self.lock().insert(target.clone(), Remembered { selector, ready, away });
    }

    /// Takes in the route of a target as the server answered that it is.
    pub(crate) fn wrote(&self, target: &Target, sight: &Sight, route: &Value) {
        let away = Rest::away(sight, route);
        if let Some(known) = self.lock().get_mut(target) {
            known.away = away;
        }
    }

    /// Forgets where the traffic of a target was: somebody has changed the route.
    pub(crate) fn forget_route(&self, target: &Target) {
        if let Some(known) = self.lock().get_mut(target) {
            known.away = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Target, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the objects hold may be secret.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("targets", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Remembered {
    /// Returns the rest of the target, if traffic was away from the slot that is live.
    pub(crate) fn rest(&self) -> Option<Rest> {
        serde_json::from_slice(self.away.as_deref()?).ok()
    }
}

impl Rest {
    /// Keeps it as text, which takes a fraction of the memory, and only while an undo may have traffic to move.
    fn away(sight: &Sight, route: &Value) -> Option<Box<[u8]>> {
        let weights = sight.traffic.read(route).ok().filter(|_| sight.dial.is_none())?;
        let live = sight.live().ok().flatten()?;
        if weights == Weights::all(sight.slots.name(live).clone()) {
            return None;
        }
        let value = |object: &Option<Object>| object.as_ref().map(|object| plain(&object.value));
        let rest =
            Self { route: plain(route), hotfix: value(&sight.hotfix), autoscaler: value(&sight.autoscaler) };
        serde_json::to_vec(&rest).ok().map(Vec::into_boxed_slice)
    }
}

/// An object without the list of who wrote its fields, which is longer than the rest of it.
fn plain(object: &Value) -> Value {
    let mut plain = object.clone();
    if let Some(metadata) = plain.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_wrote_an_object_is_not_remembered() {
        let metadata = json!({"name": "shop", "uid": "1", "generation": 3});
        let mut object = json!({"metadata": metadata, "spec": {"replicas": 2}});
        let expected = object.clone();
        object["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
        assert_eq!(plain(&object), expected);
    }
}
