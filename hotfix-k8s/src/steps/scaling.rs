//! What an autoscaler that follows the live slot makes of a verb.

use hotfix_core::model::{SlotName, Weights};

use super::{Draft, Edit, Refused, Step};
use crate::autoscaler;
use crate::sight::{self, Object, Place};
use crate::size;
use crate::slot::Side;

impl Draft<'_> {
    /// Returns how many pods a side gets: as many as asked for, and not fewer than either side has by now where an
    /// autoscaler says how many are needed.
    pub(super) fn sized(&self, replicas: u16) -> u16 {
        if self.sight.autoscaler.is_none() {
            return replicas;
        }
        Side::BOTH.into_iter().map(|side| self.size(side)).fold(replicas, u16::max)
    }

    /// Makes a side that gets traffic as large as the one that is scaled, and has that one keep its size while it is
    /// left.
    pub(super) fn keep_sizes(&mut self, weights: &Weights) -> Result<(), Refused> {
        let Some((autoscaler, scaled)) = self.scaled() else { return self.grow(weights) };
        let (size, other) = (self.size(scaled), scaled.other());
        let (slots, mut patch) = (&self.sight.slots, Vec::new());
        if weights.of(slots.name(other)) > 0 && self.size(other) < size {
            patch = self.scale(other, size)?;
        }
        let is_left = weights.of(slots.name(scaled)) < 100;
        let bound = &autoscaler.value;
        let bound = if is_left { autoscaler::hold(bound, size) } else { autoscaler::free(bound) };
        self.change(Place::Slot(other), patch);
        self.change(Place::Autoscaler, bound);
        Ok(())
    }

    /// Has the copy bear its share of what somebody scaled the main Deployment to, before it gets it.
    fn grow(&mut self, weights: &Weights) -> Result<(), Refused> {
        if let Some(replicas) = size::needed(self.sight, weights)? {
            self.change(Place::Slot(Side::Hotfix), self.scale(Side::Hotfix, replicas)?);
            self.edits.push(Edit::Wait(Step::UntilFull(Side::Hotfix)));
        }
        Ok(())
    }

    /// Has the autoscaler scale a slot.
    pub(super) fn follow(&mut self, slot: &SlotName) -> Result<(), Refused> {
        let Some(autoscaler) = &self.sight.autoscaler else { return Ok(()) };
        let side = self.side(slot)?;
        let deployment = &self.object(Place::Slot(side))?.reference;
        self.change(Place::Autoscaler, autoscaler::follow(&autoscaler.value, deployment));
        Ok(())
    }

    /// The autoscaler and the side that it scales.
    fn scaled(&self) -> Option<(&Object, Side)> {
        let autoscaler = self.sight.autoscaler.as_ref()?;
        let scales = |side: &Side| {
            let deployment = self.sight.deployment(*side);
            deployment.is_some_and(|object| autoscaler::scales(&autoscaler.value, &object.reference))
        };
        Some((autoscaler, Side::BOTH.into_iter().find(scales)?))
    }

    fn size(&self, side: Side) -> u16 {
        self.sight.deployment(side).map_or(0, |object| sight::replicas(&object.value))
    }
}
