//! Which traffic split may be in effect: pure. Traffic never moves to a side without a ready instance.

use std::collections::BTreeMap;

use hotfix_core::model::{ArtifactId, SlotName};

use crate::state::Desired;

/// A release in a slot: while a restore waits, one slot can have two of them.
pub(crate) type UnitKey = (SlotName, ArtifactId);

/// Traffic in percent per unit; the sum is 100, or there is none.
pub(crate) type Split = BTreeMap<UnitKey, u8>;

/// Returns the split that is wanted, or the slot for which it has to wait.
pub(crate) fn next_split(
    desired: &Desired,
    current: &Split,
    ready: impl Fn(&UnitKey) -> u16,
) -> Result<Split, SlotName> {
    let mut wanted = Split::new();
    for (slot, percent) in desired.weights.iter().flat_map(|weights| weights.iter()) {
        let Some(filling) = desired.filling(slot) else {
            return Err(slot.clone());
        };
        wanted.insert((slot.clone(), filling.release.artifact.id()), percent);
    }
    for (unit, percent) in &wanted {
        let raises = *percent > current.get(unit).copied().unwrap_or(0);
        // With no traffic anywhere yet there is nobody to take it from, but answering nothing is not better.
        if raises && ready(unit) == 0 {
            return Err(unit.0.clone());
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use hotfix_core::model::{Artifact, ObjectId, Release, TagName, Version, Weights};

    use super::*;
    use crate::state::{Filling, TargetState};

    fn slot(name: &str) -> SlotName {
        SlotName::new(name).expect("a slot")
    }

    fn filling(digit: &str) -> Filling {
        let release = Release {
            version: Version::new(1, 0, 0),
            tag: TagName::new("v1").expect("a tag"),
            artifact: Artifact::Tree(ObjectId::new(digit.repeat(40)).expect("an id")),
        };
        Filling { release, replicas: NonZeroU16::MIN, renewed: 0 }
    }

    fn unit(name: &str, digit: &str) -> UnitKey {
        (slot(name), filling(digit).release.artifact.id())
    }

    fn desired(slots: [(&str, Option<&str>); 2], weights: Option<Weights>) -> Desired {
        let listen = "127.0.0.1:0".parse().expect("an address");
        let mut desired = TargetState::empty([], listen).desired;
        desired.slots = slots.into_iter().map(|(name, digit)| (slot(name), digit.map(filling))).collect();
        desired.weights = weights;
        desired
    }

    #[test]
    fn a_split_takes_effect_when_every_side_that_gains_is_ready() {
        let split = Weights::split(slot("blue"), slot("green"), 10).expect("a split");
        let desired = desired([("blue", Some("1")), ("green", Some("2"))], Some(split));
        let current = Split::from([(unit("blue", "1"), 100)]);
        let only = |ready: UnitKey| move |unit: &UnitKey| u16::from(*unit == ready);
        assert_eq!(next_split(&desired, &current, only(unit("blue", "1"))), Err(slot("green")));
        let wanted = Split::from([(unit("blue", "1"), 90), (unit("green", "2"), 10)]);
        assert_eq!(next_split(&desired, &current, only(unit("green", "2"))), Ok(wanted.clone()));
        assert_eq!(next_split(&desired, &wanted, |_| 0), Ok(wanted.clone()), "what is in effect stays");
    }

    #[test]
    fn a_restored_release_waits_beside_the_one_that_has_the_traffic() {
        let desired = desired([("blue", Some("1")), ("green", None)], Some(Weights::all(slot("blue"))));
        let current = Split::from([(unit("blue", "3"), 100)]);
        assert_eq!(next_split(&desired, &current, |_| 0), Err(slot("blue")));
        let restored = Split::from([(unit("blue", "1"), 100)]);
        assert_eq!(next_split(&desired, &current, |_| 1), Ok(restored));
    }

    #[test]
    fn without_weights_nothing_is_routed() {
        let desired = desired([("blue", Some("1")), ("green", None)], None);
        assert_eq!(next_split(&desired, &Split::new(), |_| 1), Ok(Split::new()));
    }
}
