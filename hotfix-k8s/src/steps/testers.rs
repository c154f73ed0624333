//! When testers reach a slot: from the moment that what was staged there has a pod that can answer them, until it is
//! retired, taken back or live.

use hotfix_core::model::SlotName;
use json_patch::PatchOperation;

use super::{Draft, Edit, Refused, Rest, Step};
use crate::sight::{Patience, Place};
use crate::slot::Side;

/// What a slot holds, compared with what is staged there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Same,
    Other,
}

impl Draft<'_> {
    /// Before a slot is filled with something else: testers must not meet its pods while they are replaced.
    pub(super) fn keep_testers_out(&mut self, content: Content) -> Result<(), Refused> {
        if content == Content::Other {
            let closed = self.closed()?;
            self.change(Place::Route, closed);
        }
        Ok(())
    }

    /// After a slot was filled, which is all that the verb promises. Pods are waited for, but not for ever and not while
    /// something is wrong with them: then the first shift lets testers in, or nobody does.
    pub(super) fn let_testers_in(
        &mut self,
        slot: &SlotName,
        side: Side,
        content: Content,
    ) -> Result<(), Refused> {
        let Some(opened) = self.sight.traffic.open(&self.sight.route.value, slot)? else { return Ok(()) };
        if self.sight.live()? == Some(side) {
            return Ok(());
        }
        let is_there = content == Content::Same && self.sight.ready(side) > 0;
        if is_there {
            if !opened.is_empty() {
                self.edits.push(Edit::Wait(Step::UntilServed(side)));
            }
            self.change(Place::Route, opened);
        } else if content == Content::Other
            || (self.sight.patience == Patience::Left && !self.sight.is_ill(side))
        {
            self.edits.push(Edit::Wait(Step::UntilChanged(Rest::Welcome)));
        }
        Ok(())
    }

    /// What lets testers in beside a change of the weights. Customers come first: what cannot be opened is left.
    pub(super) fn opened(&self) -> Result<Vec<PatchOperation>, Refused> {
        let side = self.sight.live()?.unwrap_or(Side::Main).other();
        if self.sight.ready(side) == 0 || !self.sight.held(side).is_ok_and(|held| held.is_some()) {
            return Ok(Vec::new());
        }
        let opened = self.sight.traffic.open(&self.sight.route.value, self.sight.slots.name(side));
        Ok(opened.ok().flatten().unwrap_or_default())
    }

    /// What sends testers to where everybody else goes.
    pub(super) fn closed(&self) -> Result<Vec<PatchOperation>, Refused> {
        Ok(self.sight.traffic.close(&self.sight.route.value)?)
    }
}
