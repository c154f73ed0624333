//! A list among whose entries requests are divided by weight, two of them ours.
//!
//! The two slots divide between them what the list gives to both together: *our part*. Without entries of others
//! that is everything, and weights are percents. Entries of others keep their weights, so our part keeps its size and
//! a percentage of it has to be a whole weight; all or nothing always is, so the way back is never refused.

use hotfix_core::model::{SlotName, Weights};
use json_patch::PatchOperation;

use super::cursor::{At, Misfit, add, replace, test};
use crate::slot::{Side, Slots};

/// What a list has of ours.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// An entry for each slot.
    Both(Shares<'a>),
    /// Traffic for one slot, and no entry for the other.
    One(Side),
    /// No traffic for either.
    Neither,
}

/// What becomes of a list that is not understood, or sends traffic to one slot alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// It is refused: nobody can say how traffic is split.
    Refused,
    /// It is passed over: what can be written is, so that a list which somebody adds does not keep an undo from the
    /// others.
    PassedOver,
}

impl Foreign {
    /// Returns what was understood of a list; the first that was not is kept, for the case that there is no other.
    pub(super) fn understood<T>(
        self,
        found: Result<T, Misfit>,
        first: &mut Option<Misfit>,
    ) -> Result<Option<T>, Misfit> {
        match (found, self) {
            (Ok(found), _) => Ok(Some(found)),
            (Err(misfit), Self::Refused) => Err(misfit),
            (Err(misfit), Self::PassedOver) => {
                first.get_or_insert(misfit);
                Ok(None)
            }
        }
    }
}

/// The entries of both slots.
#[derive(Debug)]
pub(super) struct Shares<'a> {
    list: At<'a>,
    main: Share<'a>,
    hotfix: Share<'a>,
    /// The sum of the weights of entries that are not ours.
    others: u64,
}

#[derive(Debug, Clone)]
struct Share<'a> {
    entry: At<'a>,
    /// What is written there, if anything.
    written: Option<u64>,
    /// What counts: what is written, or what the kind of object takes for it.
    weight: u64,
}

/// Looks for the entries of both slots. `side` tells of which slot an entry is; `unwritten` is the weight of an entry
/// without one, by the length of the list.
pub(super) fn find<'a>(
    list: &At<'a>,
    unwritten: impl Fn(usize) -> u64,
    side: impl Fn(&At<'a>) -> Result<Option<Side>, Misfit>,
) -> Result<Found<'a>, Misfit> {
    let entries = list.elements()?;
    let (mut main, mut hotfix, mut others) = (None, None, 0);
    for entry in &entries {
        let written = entry.count("weight")?;
        let weight = written.unwrap_or_else(|| unwritten(entries.len()));
        let place = match side(entry)? {
            None => {
                others = u64::saturating_add(others, weight);
                continue;
            }
            Some(Side::Main) => &mut main,
            Some(Side::Hotfix) => &mut hotfix,
        };
        if place.replace(Share { entry: entry.clone(), written, weight }).is_some() {
            return Err(entry.misfit("sends to the same slot as an entry before it; make one entry of both"));
        }
    }
    Ok(match (main, hotfix) {
        (Some(main), Some(hotfix)) => Found::Both(Shares { list: list.clone(), main, hotfix, others }),
        (Some(main), None) if main.weight > 0 => Found::One(Side::Main),
        (None, Some(hotfix)) if hotfix.weight > 0 => Found::One(Side::Hotfix),
        _ => Found::Neither,
    })
}

impl<'a> Shares<'a> {
    /// The entry of a slot.
    pub(super) fn entry(&self, side: Side) -> &At<'a> {
        match side {
            Side::Main => &self.main.entry,
            Side::Hotfix => &self.hotfix.entry,
        }
    }

    /// What the hotfix slot gets of our part, in percent.
    pub(super) fn percent(&self) -> Result<u8, Misfit> {
        let (main, hotfix, part) = (self.main.weight, self.hotfix.weight, self.part());
        if part == 0 {
            return Err(self.list.misfit("the weights of both slots are 0; give one of them the traffic"));
        }
        let share = u128::from(hotfix) * 100;
        if !share.is_multiple_of(u128::from(part)) {
            return Err(self.list.misfit(format!(
                "the weights {main} and {hotfix} are no whole percents; write weights that sum to 100"
            )));
        }
        Ok(u8::try_from(share / u128::from(part)).expect("a part is at most the whole"))
    }

    /// What makes the hotfix slot get `percent` of our part; nothing when it does.
    pub(super) fn write(&self, percent: u8) -> Result<Vec<PatchOperation>, Misfit> {
        if self.percent() == Ok(percent) {
            return Ok(Vec::new());
        }
        let part = if self.others == 0 { 100 } else { self.part() };
        if part == 0 {
            return Err(self.list.misfit(
                "entries of others have all of the weight and both slots none; give one slot its part",
            ));
        }
        let share = u128::from(part) * u128::from(percent);
        if !share.is_multiple_of(100) {
            return Err(self.list.misfit(format!(
                "entries of others have weights, and {percent} % of the {part} left is no whole weight; \
                 multiply all weights of this list by 100"
            )));
        }
        let hotfix = u64::try_from(share / 100).expect("a percentage of a part is at most the part");
        let shares = [(&self.main, part - hotfix), (&self.hotfix, hotfix)];
        Ok(shares.into_iter().flat_map(|(share, weight)| share.write(weight)).collect())
    }

    /// Whether others have all of the weight, so that there is nothing to divide.
    const fn is_nothing(&self) -> bool {
        self.others > 0 && self.part() == 0
    }

    const fn part(&self) -> u64 {
        self.main.weight.saturating_add(self.hotfix.weight)
    }
}

impl Share<'_> {
    fn write(&self, weight: u64) -> Vec<PatchOperation> {
        let path = self.entry.pointer_to("weight");
        match self.written {
            Some(written) if written == weight => Vec::new(),
            Some(written) => vec![test(path.clone(), written), replace(path, weight)],
            None => vec![add(path, weight)],
        }
    }
}

/// The one percentage that all lists give to the hotfix slot, as weights of the slots.
pub(super) fn read(lists: &[Shares<'_>], slots: &Slots) -> Result<Weights, Misfit> {
    let mut agreed: Option<(u8, &Shares<'_>)> = None;
    for shares in lists {
        let percent = shares.percent()?;
        match agreed {
            Some((first, _)) if first != percent => {
                return Err(shares.list.misfit(format!(
                    "gives {} {percent} %, where another list gives it {first} %; write the same weights in both",
                    slots.hotfix
                )));
            }
            _ => agreed = Some((percent, shares)),
        }
    }
    let (percent, shares) = agreed.expect("a route without a list of ours is not understood before");
    Weights::split(slots.main.clone(), slots.hotfix.clone(), percent)
        .map_err(|error| shares.list.misfit(error.to_string()))
}

/// What makes all lists say `weights`.
pub(super) fn write(
    lists: &[Shares<'_>],
    slots: &Slots,
    weights: &Weights,
) -> Result<Vec<PatchOperation>, Misfit> {
    let percent = hotfix_percent(slots, weights)?;
    let mut patch = Vec::new();
    // What gives nothing to either slot gives none to the wrong one, and keeps no undo from the rest.
    let is_passed_over = |shares: &Shares<'_>| {
        matches!(percent, 0 | 100) && shares.is_nothing() && !lists.iter().all(Shares::is_nothing)
    };
    for shares in lists.iter().filter(|shares| !is_passed_over(shares)) {
        patch.extend(shares.write(percent)?);
    }
    Ok(patch)
}

/// What `weights` give to the hotfix slot.
pub(super) fn hotfix_percent(slots: &Slots, weights: &Weights) -> Result<u8, Misfit> {
    match weights.iter().find(|(slot, _)| slots.side(slot).is_none()) {
        Some((slot, _)) => Err(unknown(slots, slot)),
        None => Ok(weights.of(&slots.hotfix)),
    }
}

/// The refusal of a slot that is neither.
pub(super) fn unknown(slots: &Slots, slot: &SlotName) -> Misfit {
    let reason = format!("there is no slot {slot}; the slots are {} and {}", slots.main, slots.hotfix);
    Misfit { path: String::new(), reason }
}
