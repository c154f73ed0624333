//! The fence in the patches of a verb.

use hotfix_core::model::{Verb, VerbName};

use super::{Draft, Edit, Refused, Rest, Step, Write, WriteEffect};
use crate::fence::{self, Applied, Note};
use crate::sight::{Object, Place, Sight};

/// What becomes of objects that are gone, or have no fence any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfenced {
    /// Nothing is written before the target is adopted again.
    Refused,
    /// What is there gets a fence with its first patch: somebody who deletes or replaces an object in the middle of an
    /// incident does not keep an undo from the others.
    Fenced,
}

/// An object that is there, and its fence.
type Fenced<'a> = (Place, &'a Object, Option<(String, Note)>);

impl Unfenced {
    pub(super) fn by(verb: &Verb) -> Self {
        if verb.name() == VerbName::Restore { Self::Fenced } else { Self::Refused }
    }

    /// Returns the fences of all objects that are there. A target of which nothing says that it was adopted is refused
    /// either way.
    fn fences(self, sight: &Sight) -> Result<Vec<Fenced<'_>>, Refused> {
        let is_adopted = sight.hotfix.is_some() || !sight.notes().is_empty();
        let mut fences = Vec::new();
        for place in Place::ALL {
            match sight.object(place) {
                Some(object) if object.fence.is_some() || (self == Self::Fenced && is_adopted) => {
                    fences.push((place, object, object.fence.clone()));
                }
                None if place == Place::Autoscaler || (self == Self::Fenced && is_adopted) => {}
                _ => return Err(Refused::NotAdopted(sight.reference(place).into())),
            }
        }
        Ok(fences)
    }
}

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
        let mut fences = self.unfenced.fences(self.sight)?;
        let mut steps = Vec::new();
        for (index, edit) in edits.into_iter().enumerate() {
            let (place, patch) = match edit {
                Edit::Wait(step) => {
                    steps.push(step);
                    continue;
                }
                Edit::Change(place, patch) => (place, patch),
            };
            let found = fences.iter_mut().find(|(fenced, ..)| *fenced == place);
            let (object, fence) = found
                .map(|(_, object, fence)| (*object, fence))
                .ok_or_else(|| Refused::NotAdopted(self.sight.reference(place).into()))?;
            let note = fence.as_ref().map_or_else(Note::default, |(_, note)| note.clone());
            let next =
                if Some(index) == last { note.recorded(applied.clone()) } else { note.raised(applied.stamp) };
            let effect = if patch.is_empty() { WriteEffect::Fence } else { WriteEffect::Values };
            let guard = match &fence {
                Some((text, _)) => fence::guard(&object.value, text, &next),
                None => fence::first(&object.value, &next),
            };
            let (patch, object) = ([guard, patch].concat(), object.reference.clone());
            steps.push(Step::Patch(Write { place, object, patch, effect }));
            *fence = Some((next.text(), next));
        }
        Ok(steps)
    }
}
