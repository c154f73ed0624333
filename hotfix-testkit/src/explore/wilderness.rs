//! Worlds that are too large to be explored to the last state: several targets, several effects and gates, a full
//! rollback, sometimes a second run in the way.

use hotfix_core::plan::Plan;

use super::dice::Dice;
use super::rules::{KeyRule, Rules};
use super::sketch::{Part, Place, Sketch};
use super::world::Budget;

/// A large world.
#[derive(Debug)]
pub(super) struct Wilderness {
    pub(super) sketches: Vec<Sketch>,
    pub(super) workers: u8,
    pub(super) rules: Rules,
    pub(super) budget: Budget,
}

impl Wilderness {
    pub(super) fn of(dice: &mut Dice) -> Self {
        let mut places = vec![Place::Workload; 1 + dice.below(3)];
        if !dice.once_in(3) {
            places.push(Place::Source);
        }
        let mut sketches = vec![sketch(dice, &places, 2)];
        if dice.once_in(3) {
            sketches.push(sketch(dice, &places, 32));
        }
        let keys = if dice.once_in(2) { KeyRule::AppliedOnce } else { KeyRule::ForProbes };
        Self {
            sketches,
            workers: 2 + dice.up_to(1),
            rules: Rules { keys, ..Rules::default() },
            budget: budget(dice),
        }
    }
}

fn sketch(dice: &mut Dice, places: &[Place], first: u8) -> Sketch {
    let source = places.iter().position(|place| *place == Place::Source);
    let mut parts = Vec::new();
    parts.extend(source.filter(|_| !dice.once_in(4)).map(Part::Change));
    for (place, kind) in places.iter().enumerate() {
        if *kind == Place::Source || places.len() > 2 && dice.once_in(4) {
            continue;
        }
        let last = dice.below(3);
        for batch in 0..=last {
            parts.push(Part::Batch(place));
            if !dice.once_in(3) {
                parts.push(if batch == last { Part::Gate(place) } else { Part::Share(place) });
            }
        }
        if dice.once_in(4) {
            parts.extend(source.map(Part::Change));
        }
    }
    parts.extend(source.filter(|_| !dice.once_in(3)).map(Part::Publish));
    if parts.is_empty() {
        parts.push(Part::Change(0));
    }
    Sketch { places: places.to_vec(), parts, attempts: 1 + dice.up_to(2), first }
}

fn budget(dice: &mut Dice) -> Budget {
    Budget {
        crashes: dice.up_to(3),
        usurpations: dice.up_to(2),
        losses: dice.up_to(3),
        duplicates: dice.up_to(3),
        refusals: dice.up_to(3),
        outages: dice.up_to(3),
        edits: if dice.once_in(3) { 1 } else { 0 },
        cancels: if dice.once_in(3) { 1 } else { 0 },
        stalls: dice.up_to(1),
        looks: dice.up_to(4),
        hastes: if dice.once_in(2) { 1 } else { 0 },
        halves: dice.up_to(2),
    }
}

/// Returns the plan of the first run in the world that [`walk`](super::walk) goes through with this seed: production
/// types, several targets, effects and gates, with its rollback.
#[must_use]
pub fn plan_of(seed: u64) -> Plan {
    Wilderness::of(&mut Dice::new(seed)).sketches[0].plan()
}
