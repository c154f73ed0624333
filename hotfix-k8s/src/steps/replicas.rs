//! The verbs where traffic is shared by numbers of pods: the moves of [`Dial`] as patches. What takes more than one
//! look at the pods ends with [`Step::UntilChanged`] and is planned anew.

use hotfix_core::model::{Release, Weights, WorkloadSnapshot};
use json_patch::PatchOperation;

use super::{Draft, Edit, Refused, Rest, Step};
use crate::change::set_at;
use crate::names::{self, annotation};
use crate::sight::{self, Place};
use crate::size;
use crate::slot::Side;
use crate::traffic::course::{Back, End, Move};
use crate::traffic::dial::Dial;
use crate::traffic::pin::{Pin, Selected};
use crate::traffic::size::Size;

impl Draft<'_> {
    /// The other slot is made the only one that is selected, then this one is filled.
    pub(super) fn stage_by_pods(
        &mut self,
        dial: &Dial,
        side: Side,
        release: &Release,
        replicas: u16,
    ) -> Result<(), Refused> {
        let slot = &self.object(Place::Slot(side))?.value;
        let same = self.holds(side, release);
        let has_traffic = self.sight.weights()?.of(self.sight.slots.name(side)) > 0;
        let (size, wanted) = (dial.size(side), u32::from(replicas));
        let size = if !has_traffic && self.sight.live()? != Some(side) {
            let held = if same { size.asked } else { 0 };
            let Some((pin, size)) = dial.stage(side, wanted, held) else { return self.until_changed() };
            self.make(dial, pin)?;
            size
        } else if dial.size(side.other()).asked == 0 {
            Size { asked: wanted, of: None }
        } else {
            // How many pods of a slot with traffic there are, the shares say.
            Size { of: (size.asked != wanted).then_some(wanted), ..size }
        };
        if sight::replicas(slot) == 0 && self.sight.lingers(side) {
            self.edits.push(Edit::Wait(Step::UntilEmpty(side)));
        }
        let template = if same { Vec::new() } else { self.fill(side, release)? };
        self.change(Place::Slot(side), [template, self.mark(side, release)?, size.write(slot)].concat());
        Ok(())
    }

    pub(super) fn shift_by_pods(&mut self, dial: &Dial, weights: &Weights) -> Result<(), Refused> {
        let live = self.sight.live()?.unwrap_or(Side::Main);
        let percent = weights.of(self.sight.slots.name(live.other()));
        let course = match percent {
            0 => dial.all_to(live, dial.size(live).wanted()),
            100 => dial.all_to(live.other(), dial.size(live).wanted()),
            percent => dial.split(live, percent),
        };
        for next in course.moves {
            self.make(dial, next)?;
        }
        match course.end {
            End::Reached => Ok(()),
            End::Later => self.until_changed(),
        }
    }

    pub(super) fn retire_by_pods(&mut self, dial: &Dial, side: Side) -> Result<(), Refused> {
        let emptied = [self.emptied(side)?, self.emptied_by_this(side)?].concat();
        self.change(Place::Slot(side), emptied);
        let wanted = dial.size(side.other()).wanted();
        let size = dial.grown(side.other(), wanted);
        self.make(dial, Move::Resize(side.other(), size))?;
        if size.asked < wanted {
            return self.until_changed();
        }
        self.release(dial, side, dial.selected)
    }

    /// The old size first where it was made smaller, then the traffic, then the other slot.
    ///
    /// Pods that are started anew have another hash, so whoever selects by the old one loses them: pods that serve and are
    /// to read again what is put back are started anew last of all, when no hash is selected any more. Where one stays
    /// selected, as that of the copy does, they come before the traffic.
    pub(super) fn restore_by_pods(
        &mut self,
        dial: &Dial,
        side: Side,
        snapshot: &WorkloadSnapshot,
    ) -> Result<(), Refused> {
        let slot = &self.object(Place::Slot(side))?.value;
        let (whole, way) = self.way_back(dial, side, snapshot);
        let mut template = self.retemplated(side, snapshot)?;
        let is_last = template.is_empty()
            && !matches!(way, Back::Later(_))
            && (side == Side::Main || !self.is_reread(slot));
        let mut main = Vec::new();
        if !is_last {
            if template.is_empty() {
                template = self.reread(side);
            }
            main = self.put_back(side);
        }
        let mut patch = [self.mark(side, &snapshot.release)?, template.clone()].concat();
        let way = match way {
            // The pods of another template are still to come.
            Back::Now if !template.is_empty() => Back::Later(Vec::new()),
            way => way,
        };
        if let Back::Later(moves) = way {
            let size = |next: &Move| match next {
                Move::Resize(of, size) if *of == side => Some(*size),
                _ => None,
            };
            let size = moves.iter().find_map(size).unwrap_or_else(|| dial.size(side));
            patch.extend(size.write(slot));
            self.refilled(side, patch, main);
            for next in moves.into_iter().filter(|next| size_of(next) != Some(side)) {
                self.make(dial, next)?;
            }
            return self.until_changed();
        }
        let name = snapshot.slot.as_str().into();
        main.extend(set_at(&self.sight.main.value, annotation(names::LIVE), Some(name)));
        if way == Back::Now {
            self.make(dial, Move::Select(Pin::To(side), None))?;
        }
        if is_last {
            self.write(side, patch, main);
        } else {
            self.refilled(side, patch, main);
        }
        // A slot that somebody deleted is as empty as can be.
        let there = self.sight.deployment(side.other());
        let emptied = there.map_or_else(|| Ok(Vec::new()), |_| self.emptied(side.other()))?;
        if way == Back::Now && !emptied.is_empty() {
            self.edits.push(Edit::Wait(Step::UntilLeft(side.other())));
        }
        self.change(Place::Slot(side.other()), emptied);
        let size = dial.grown(side, whole);
        self.change(Place::Slot(side), size.write(slot));
        if size.asked < whole {
            return self.until_changed();
        }
        let selected = if way == Back::Now { Selected::Current(side) } else { dial.selected };
        self.release(dial, side.other(), selected)?;
        if self.goes_on() {
            return Ok(());
        }
        let anew = if is_last { self.reread(side) } else { Vec::new() };
        let ended = if is_last { self.put_back(side) } else { Vec::new() };
        self.look_again();
        self.change(Place::Slot(side), anew);
        self.change(Place::Slot(Side::Main), ended);
        Ok(())
    }

    /// How large a restore makes a slot, and what it takes until that has the traffic.
    pub(super) fn way_back(&self, dial: &Dial, side: Side, snapshot: &WorkloadSnapshot) -> (u32, Back) {
        // What its owner made the main Deployment meanwhile is not taken away.
        let wanted = u16::try_from(dial.size(side).wanted()).unwrap_or(u16::MAX);
        let whole = u32::from(size::kept(side, snapshot.replicas.get(), wanted));
        (whole, dial.back_to(side, whole, self.sight.patience))
    }

    /// Writes what a restore makes of a slot, once: pods that were just asked for are not started anew.
    fn refilled(&mut self, side: Side, mut patch: Vec<PatchOperation>, main: Vec<PatchOperation>) {
        if let Some(slot) = self.sight.deployment(side).filter(|_| !patch.is_empty()) {
            patch.extend(set_at(&slot.value, annotation(names::RESTORED), Some(self.key.into())));
        }
        self.write(side, patch, main);
    }

    /// Writes to a slot and to the main Deployment, in one patch where they are the same.
    fn write(&mut self, side: Side, patch: Vec<PatchOperation>, main: Vec<PatchOperation>) {
        match side {
            Side::Main => self.change(Place::Slot(side), [patch, main].concat()),
            Side::Hotfix => {
                self.change(Place::Slot(side), patch);
                self.change(Place::Slot(Side::Main), main);
            }
        }
    }

    /// Lets the live slot be rolled out by others again once the other has no pods. Nobody else rolls out the copy, so
    /// that stays held: what others deploy beside it gets no traffic.
    fn release(&mut self, dial: &Dial, emptied: Side, selected: Selected) -> Result<(), Refused> {
        if emptied == Side::Main || selected == Selected::Both {
            return Ok(());
        }
        if dial.size(emptied).asked > 0 || self.sight.lingers(emptied) {
            return self.until_changed();
        }
        self.make(dial, Move::Select(Pin::Nowhere, None))
    }

    fn emptied(&self, side: Side) -> Result<Vec<PatchOperation>, Refused> {
        let slot = &self.object(Place::Slot(side))?.value;
        let mark = set_at(slot, annotation(names::RELEASE), Some(names::EMPTY.into()));
        Ok([mark, Size::default().write(slot)].concat())
    }

    fn make(&mut self, dial: &Dial, next: Move) -> Result<(), Refused> {
        match next {
            Move::Resize(side, size) => {
                let patch = size.write(&self.object(Place::Slot(side))?.value);
                self.change(Place::Slot(side), patch);
            }
            Move::Select(pin, share) => {
                let service = &self.sight.route.value;
                let mut patch = dial.service.write(service, pin)?;
                let share = share.map(|share| share.to_string().into());
                patch.extend(set_at(service, annotation(names::SHARE), share));
                self.change(Place::Route, patch);
            }
            Move::UntilLeft(side) => self.edits.push(Edit::Wait(Step::UntilLeft(side))),
        }
        Ok(())
    }

    fn until_changed(&mut self) -> Result<(), Refused> {
        self.edits.push(Edit::Wait(Step::UntilChanged(Rest::Needed)));
        Ok(())
    }
}

const fn size_of(next: &Move) -> Option<Side> {
    match next {
        Move::Resize(side, _) => Some(*side),
        Move::Select(..) | Move::UntilLeft(_) => None,
    }
}
