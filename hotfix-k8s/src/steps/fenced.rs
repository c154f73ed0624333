//! The fence in the patches of a verb.

use super::{Draft, Edit, Refused, Rest, Step, Write, WriteEffect};
use crate::fence::{self, Applied, Note};
use crate::sight::Place;

impl Draft<'_> {
    /// Puts the fence into every patch: the stamp into each, the key into the last.
    pub(super) fn fenced(self, applied: Applied) -> Result<Vec<Step>, Refused> {
        let mut edits = self.edits;
        let rest = edits.last().and_then(|edit| match edit {
            Edit::Wait(Step::UntilChanged(rest)) => Some(*rest),
            _ => None,
        });
        let anchor = self.sight.object(Place::ANCHOR).and_then(|object| object.fence.as_ref());
        let is_claimed = anchor.is_some_and(|(_, note)| note.stamp == applied.stamp);
        // Whoever is not served yet gets no claim either.
        let first =
            edits.iter().find(|edit| !matches!(edit, Edit::Wait(Step::UntilServed(_) | Step::UntilHeardOf)));
        let is_first = !matches!(first, Some(Edit::Change(Place::ANCHOR, _)));
        let is_change = |edit: &Edit| matches!(edit, Edit::Change(..));
        if is_first && !(is_claimed && (rest.is_some() || edits.iter().any(is_change))) {
            edits.insert(0, Edit::Change(Place::ANCHOR, Vec::new()));
        }
        let last = edits.iter().rposition(is_change).filter(|_| rest != Some(Rest::Needed));
        let mut fences: Vec<(Place, String, Note)> = Vec::new();
        for place in Place::ALL {
            if place == Place::Autoscaler && self.sight.autoscaler.is_none() {
                continue;
            }
            let object = self.sight.object(place).and_then(|object| Some((object, object.fence.as_ref()?)));
            let (_, (text, note)) =
                object.ok_or_else(|| Refused::NotAdopted(self.sight.main.reference.clone().into()))?;
            fences.push((place, text.clone(), note.clone()));
        }
        let mut steps = Vec::new();
        for (index, edit) in edits.into_iter().enumerate() {
            let (place, patch) = match edit {
                Edit::Wait(step) => {
                    steps.push(step);
                    continue;
                }
                Edit::Change(place, patch) => (place, patch),
            };
            let fence = fences.iter_mut().find(|fence| fence.0 == place).expect("every place has one");
            let next = if Some(index) == last {
                fence.2.recorded(applied.clone())
            } else {
                fence.2.raised(applied.stamp)
            };
            let effect = if patch.is_empty() { WriteEffect::Fence } else { WriteEffect::Values };
            let object = self.sight.object(place).expect("every place has one");
            let guard = fence::guard(&object.value, &fence.1, &next);
            let patch = [guard, patch].concat();
            let object = object.reference.clone();
            steps.push(Step::Patch(Write { place, object, patch, effect }));
            *fence = (place, next.text(), next);
        }
        Ok(steps)
    }
}
