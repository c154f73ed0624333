//! A target whose traffic is shared by numbers of pods: what is next on the way to a share, as moves that keep to the
//! allowances at every moment. Pure: it is asked again after every wait, and needs no memory of its own.

use hotfix_core::model::Weights;
use hotfix_core::port::TrafficSplit;
use json_patch::PatchOperation;
use serde_json::Value;

use super::course::{Back, Course, End, Move, PerSide};
use super::pin::{Pin, PinnedService, Selected};
use super::ratio::{Fences, Pods, Running};
use super::shares;
use super::{NotUnderstood, Route};
use crate::config::ReplicasTraffic;
use crate::names;
use crate::object::ObjectRef;
use crate::pod::Pod;
use crate::replica_set::{self, Hashes, ReplicaSet};
use crate::sight::{Object, Patience};
use crate::slot::{Side, Slots};
use crate::traffic::size::Size;

/// The pods of one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Crew {
    pub(crate) size: Size,
    /// Those of the template that it has now which can take traffic, at most as many as are asked for, by the
    /// Deployment and by its controller so far: the others are about to be ended.
    pub(crate) ready: u32,
    /// Those of that template with something wrong.
    pub(crate) ill: u32,
    /// Those of templates that it had before, and how many of them can take traffic.
    pub(crate) older: u32,
    pub(crate) older_ready: u32,
    /// All that nobody has begun to end.
    pub(crate) present: u32,
}

impl Crew {
    /// How many pods there are, or are to be.
    fn there(self) -> u32 {
        self.present.max(self.size.asked)
    }

    /// Counts the pods of a Deployment.
    fn read(deployment: &Value, hashes: &Hashes, sets: &[ReplicaSet], pods: &[Pod]) -> Self {
        let name = deployment["metadata"]["name"].as_str();
        let of_set = |hash| replica_set::asked(sets, name.unwrap_or_default(), hash);
        let own = || pods.iter().filter(|pod| pod.deployment.as_deref() == name && !pod.is_going);
        let is_current = |pod: &&Pod| pod.hash.is_some() && pod.hash == hashes.current;
        let count = |pods: &mut dyn Iterator<Item = &Pod>| u32::try_from(pods.count()).unwrap_or(u32::MAX);
        let is_ill = |pod: &&Pod| !pod.is_ready && !pod.faults().is_empty();
        let size = Size::read(deployment);
        let lasting = size.asked.min(hashes.current.as_deref().map_or(0, of_set));
        Self {
            size,
            ready: count(&mut own().filter(is_current).filter(|pod| pod.is_ready)).min(lasting),
            ill: count(&mut own().filter(is_current).filter(is_ill)),
            older: count(&mut own().filter(|pod| !is_current(pod))),
            older_ready: count(&mut own().filter(|pod| !is_current(pod) && pod.is_ready)),
            present: count(&mut own()),
        }
    }
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dial {
    pub(crate) service: PinnedService,
    pub(crate) slots: Slots,
    pub(crate) allowed: ReplicasTraffic,
    pub(crate) selected: Selected,
    /// The share of the hotfix slot that was asked for last, in percent.
    pub(crate) share: Option<u8>,
    pub(crate) crews: PerSide<Crew>,
}

impl Dial {
    /// Reads where a target is: the Service, both Deployments (main, copy), their ReplicaSets and their pods.
    pub(crate) fn read(
        allowed: ReplicasTraffic,
        slots: &Slots,
        service: &Object,
        (main, copy): (&Value, Option<&Value>),
        sets: &[ReplicaSet],
        pods: &[Pod],
    ) -> Result<Self, NotUnderstood> {
        let hashes = |deployment: Option<&Value>| {
            deployment.map_or_else(Hashes::default, |deployment| Hashes::of(deployment, sets))
        };
        let object = service.reference.clone();
        let pinned = PinnedService { object, main: hashes(Some(main)), hotfix: hashes(copy) };
        let crews = PerSide::of(|side| {
            let deployment = if side == Side::Main { Some(main) } else { copy };
            deployment.map_or_else(Crew::default, |found| Crew::read(found, pinned.hashes(side), sets, pods))
        });
        Ok(Self {
            selected: pinned.read(&service.value)?,
            service: pinned,
            slots: slots.clone(),
            allowed,
            share: share(&service.value),
            crews,
        })
    }

    /// Returns what keeps pods that are put into a slot out of the traffic, and how many there may be of `replicas`.
    /// Nothing when they cannot be kept out yet.
    pub(crate) fn stage(&self, side: Side, replicas: u32, held: u32) -> Option<(Move, Size)> {
        let (other, crew) = (side.other(), self.crews.get(side.other()));
        let whole = if crew.size.wanted() == 0 { replicas } else { crew.size.wanted() };
        let fences = self.fences(whole);
        if !self.can_hold(other, fences) {
            return None;
        }
        let room = fences.most().saturating_sub(crew.there()).max(1);
        let asked = room.max(held).min(replicas);
        Some((Move::Select(Pin::To(other), None), Size { asked, of: noted(asked, replicas) }))
    }

    /// Returns the next moves towards all of the traffic for one slot of a workload of so many pods. The other keeps
    /// so many that the way back can begin at once.
    pub(crate) fn all_to(&self, side: Side, whole: u32) -> Course {
        let (fences, other) = (self.fences(whole), side.other());
        let kept = self.size(other).asked.min(fences.surge);
        let grown = self.grown(side, whole);
        let settled =
            [Move::Resize(other, Size { asked: kept, of: noted(kept, whole) }), Move::Resize(side, grown)];
        let moved = match self.selected {
            Selected::Current(held) if held == side => Vec::new(),
            _ if self.can_hold(side, fences) => {
                vec![Move::Select(Pin::To(side), None), Move::UntilLeft(other)]
            }
            _ => return Course::later(self.on_the_way_to(side, fences, kept)),
        };
        let end = if grown.asked == whole { End::Reached } else { End::Later };
        Course { moves: moved.into_iter().chain(settled).collect(), end }
    }

    /// The size of a slot with all of the traffic: the whole one, once there is room for it beside the pods of the other
    /// that are still there.
    pub(crate) fn grown(&self, side: Side, whole: u32) -> Size {
        let room = self.fences(whole).most().saturating_sub(self.crews.get(side.other()).there());
        let asked =
            if self.size(side).asked >= whole { whole } else { room.min(whole).max(self.size(side).asked) };
        Size { asked, of: noted(asked, whole) }
    }

    /// Returns the next moves back to one slot: its whole size first where it was made smaller, then the traffic.
    pub(crate) fn back_to(&self, side: Side, whole: u32, patience: Patience) -> Back {
        let (fences, other) = (self.fences(whole), self.crews.get(side.other()));
        match self.selected {
            Selected::Current(held) if held == side => return Back::There,
            // Nothing else is left to select.
            Selected::Both if other.size.asked == 0 && other.present == 0 => return Back::There,
            _ => {}
        }
        let crew = self.crews.get(side);
        // What was not made smaller is as good as it was before, ill or not.
        let is_whole = crew.size.of.is_none() && crew.size.asked >= whole && crew.ready > 0;
        let is_known = self.service.hashes(side).current.is_some();
        if is_known && (is_whole || patience == Patience::Over || self.can_hold(side, fences)) {
            return Back::Now;
        }
        Back::Later(self.on_the_way_to(side, fences, 0))
    }

    /// Returns the next moves towards a split, `percent` of it for the slot beside the live one.
    pub(crate) fn split(&self, live: Side, percent: u8) -> Course {
        let (whole, canary) = (self.size(live).wanted(), live.other());
        let fences = self.fences(whole);
        let goal = Pods::for_weight(whole, percent, fences.surge);
        let goal = PerSide::of(|side| if side == live { goal.stable } else { goal.canary });
        let share = if canary == Side::Hotfix { percent } else { 100 - percent };
        let all = move |counts: PerSide<u32>| {
            Side::BOTH.map(|side| {
                let asked = counts.get(side);
                Move::Resize(side, Size { asked, of: noted(asked, whole) })
            })
        };
        if let Selected::Current(held) | Selected::Older(held) = self.selected {
            let next = self.beside(held, goal, fences);
            if next != self.asked() {
                return Course::later(all(next));
            }
            let crew = self.crews.get(held.other());
            if crew.ready < crew.size.asked {
                return Course::later([]);
            }
            let is_there = next == goal;
            let opened = Move::Select(Pin::Nowhere, is_there.then_some(share));
            return if is_there { Course::reached([opened]) } else { Course::later([opened]) };
        }
        let next = self.step(goal, fences, live);
        if next != self.asked() {
            return Course::later(all(next));
        }
        let raised = if self.share.is_none_or(|now| now <= share) { Side::Hotfix } else { Side::Main };
        if next == goal && self.crews.get(raised).ready >= goal.get(raised) {
            let noted = Move::Select(Pin::Nowhere, Some(share));
            return Course::reached(all(goal).into_iter().chain([noted]));
        }
        Course::later([])
    }

    pub(crate) fn size(&self, side: Side) -> Size {
        self.crews.get(side).size
    }

    /// The next sizes while neither slot can have all of the traffic.
    fn on_the_way_to(&self, side: Side, fences: Fences, kept: u32) -> Vec<Move> {
        let (other, crew) = (side.other(), self.crews.get(side));
        let whole = fences.replicas;
        let grown = |asked: u32| Move::Resize(side, Size { asked, of: Some(whole) });
        if matches!(self.selected, Selected::Both) {
            let goal = PerSide::of(|at| if at == side { whole } else { kept });
            let next = self.step(goal, fences, side);
            let left = next.get(other);
            return vec![
                grown(next.get(side)),
                Move::Resize(other, Size { asked: left, of: noted(left, whole) }),
            ];
        }
        let room = fences.most().saturating_sub(self.crews.get(other).there()).max(1);
        let asked = room.min(whole).max(crew.size.asked);
        if asked > crew.size.asked {
            return vec![grown(asked)];
        }
        // Alone it cannot have the traffic yet, and beside it there is no room: so both share it for a while. A slot
        // that has none is not let in by the way.
        let has_it =
            matches!(self.selected, Selected::Current(held) | Selected::Older(held) if held == other);
        let can_share = has_it && crew.ready > 0 && crew.ready + crew.ill >= crew.size.asked;
        if can_share { vec![Move::Select(Pin::Nowhere, None)] } else { Vec::new() }
    }

    /// The next sizes while one slot has all of the traffic: it only grows, and the other goes where it has to be as
    /// far as there is room.
    fn beside(&self, held: Side, goal: PerSide<u32>, fences: Fences) -> PerSide<u32> {
        let asked = self.asked();
        let other = goal.get(held.other()).min(asked.get(held.other()));
        let there = other.max(self.crews.get(held.other()).there());
        let room = fences.most().saturating_sub(there).max(asked.get(held));
        let grown = goal.get(held).clamp(asked.get(held), room);
        let left = fences.most().saturating_sub(grown.max(self.crews.get(held).there())).max(other);
        let other = goal.get(held.other()).clamp(other, left);
        PerSide::of(|side| if side == held { grown } else { other })
    }

    /// The next sizes while both slots share the traffic.
    fn step(&self, goal: PerSide<u32>, fences: Fences, stable: Side) -> PerSide<u32> {
        let canary = stable.other();
        let running = |side| {
            let crew: Crew = self.crews.get(side);
            Running { asked: crew.size.asked, available: crew.ready }
        };
        let goal = Pods { stable: goal.get(stable), canary: goal.get(canary) };
        // Pods beyond what is asked for are about to be ended, and there until then.
        let beyond = |crew: Crew| crew.older.max(crew.there() - crew.size.asked);
        let older = beyond(self.crews.main) + beyond(self.crews.hotfix);
        let next = fences.next(goal, running(stable), running(canary), older);
        PerSide::of(|side| if side == stable { next.stable } else { next.canary })
    }

    /// Whether a slot can have all of the traffic without going shorter of pods than is allowed, or than it is.
    fn can_hold(&self, side: Side, fences: Fences) -> bool {
        let crew = self.crews.get(side);
        let is_known = self.service.hashes(side).current.is_some();
        let needed = fences.fewest_available().saturating_sub(crew.ill).min(self.serving());
        is_known && crew.ready >= needed && (crew.ready > 0 || self.serving() == 0)
    }

    /// How many pods take traffic now.
    fn serving(&self) -> u32 {
        let all = |crew: Crew| crew.ready + crew.older_ready;
        match self.selected {
            Selected::Current(side) => self.crews.get(side).ready,
            Selected::Older(side) => self.crews.get(side).older_ready,
            Selected::Both => all(self.crews.main) + all(self.crews.hotfix),
            Selected::Foreign => 0,
        }
    }

    fn asked(&self) -> PerSide<u32> {
        PerSide::of(|side| self.size(side).asked)
    }

    fn fences(&self, whole: u32) -> Fences {
        Fences::resolve(whole, self.allowed.max_surge, self.allowed.max_unavailable)
    }
}

/// The note of a size; none where a slot has its whole one.
fn noted(asked: u32, of: u32) -> Option<u32> {
    (asked != of).then_some(of)
}

impl Route for Dial {
    fn object(&self) -> ObjectRef {
        self.service.object.clone()
    }

    fn split(&self) -> TrafficSplit {
        TrafficSplit::Percent
    }

    /// The share that was asked for, since several come to the same numbers of pods; on the way there, and when
    /// nobody asked, the one that the numbers come to.
    fn read(&self, service: &Value) -> Result<Weights, NotUnderstood> {
        let asked = self.asked();
        let percent = match self.selected {
            Selected::Foreign => return Err(self.service.foreign(service)),
            Selected::Current(side) | Selected::Older(side) => all_of(side),
            Selected::Both if asked.hotfix == 0 => all_of(Side::Main),
            Selected::Both if asked.main == 0 => all_of(Side::Hotfix),
            Selected::Both => self.share.unwrap_or_else(|| {
                let share = u64::from(asked.hotfix) * 100 / (u64::from(asked.main) + u64::from(asked.hotfix));
                u8::try_from(share.clamp(1, 99)).unwrap_or(99)
            }),
        };
        let slots = &self.slots;
        let weights = Weights::split(slots.main.clone(), slots.hotfix.clone(), percent);
        Ok(weights.expect("a percentage of two slots"))
    }

    /// Moves all of the traffic; a split is a matter of pods.
    fn write(&self, service: &Value, weights: &Weights) -> Result<Vec<PatchOperation>, NotUnderstood> {
        match shares::hotfix_percent(&self.slots, weights).map_err(|misfit| misfit.of(self.object()))? {
            0 => self.service.write(service, Pin::To(Side::Main)),
            100 => self.service.write(service, Pin::To(Side::Hotfix)),
            _ => self.service.write(service, Pin::Nowhere),
        }
    }
}

const fn all_of(side: Side) -> u8 {
    match side {
        Side::Main => 0,
        Side::Hotfix => 100,
    }
}

/// Reads the share that was noted on a Service.
pub(crate) fn share(service: &Value) -> Option<u8> {
    let noted = service["metadata"]["annotations"][names::SHARE].as_str()?;
    noted.parse().ok().filter(|percent| (1..100).contains(percent))
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
