//! How traffic is split between the slots of a workload: whole percents that sum to 100.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{InvalidValue, SlotName};

/// A traffic split. The sum is always 100; a slot that is not named gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<SlotName, u8>", into = "BTreeMap<SlotName, u8>")]
pub struct Weights(BTreeMap<SlotName, u8>);

impl Weights {
    /// Sends everything to one slot.
    #[must_use]
    pub fn all(slot: SlotName) -> Self {
        Self(BTreeMap::from([(slot, 100)]))
    }

    /// Sends `percent` to `candidate` and the rest to `live`.
    ///
    /// # Errors
    /// [`InvalidValue`] when the percentage is above 100 or both slots are the same.
    pub fn split(live: SlotName, candidate: SlotName, percent: u8) -> Result<Self, InvalidValue> {
        if percent > 100 {
            return Err(InvalidValue::new("weight", &percent.to_string(), "0 to 100 percent"));
        }
        if live == candidate {
            return Err(InvalidValue::new("slot", candidate.as_str(), "two different slots"));
        }
        let sides = [(live, 100 - percent), (candidate, percent)];
        Ok(Self(sides.into_iter().filter(|(_, weight)| *weight > 0).collect()))
    }

    /// Returns the percentage of a slot.
    #[must_use]
    pub fn of(&self, slot: &SlotName) -> u8 {
        self.0.get(slot).copied().unwrap_or(0)
    }

    /// Returns the slots that get traffic, in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&SlotName, u8)> {
        self.0.iter().map(|(slot, weight)| (slot, *weight))
    }
}

impl TryFrom<BTreeMap<SlotName, u8>> for Weights {
    type Error = InvalidValue;

    fn try_from(mut weights: BTreeMap<SlotName, u8>) -> Result<Self, InvalidValue> {
        let sum: u32 = weights.values().map(|weight| u32::from(*weight)).sum();
        if sum != 100 {
            return Err(InvalidValue::new("weights", &format!("sum {sum}"), "percentages that sum to 100"));
        }
        weights.retain(|_, weight| *weight > 0);
        Ok(Self(weights))
    }
}

impl From<Weights> for BTreeMap<SlotName, u8> {
    fn from(weights: Weights) -> Self {
        weights.0
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (slot, weight)) in self.iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{slot} {weight} %")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str) -> SlotName {
        SlotName::new(name).unwrap()
    }

    #[test]
    fn a_split_always_sums_to_a_hundred() {
        let weights = Weights::split(slot("blue"), slot("green"), 10).unwrap();
        assert_eq!(weights.to_string(), "blue 90 %, green 10 %");
        assert_eq!(Weights::split(slot("blue"), slot("green"), 100).unwrap(), Weights::all(slot("green")));
        let error = serde_json::from_str::<Weights>(r#"{"blue":60,"green":60}"#).unwrap_err();
        assert!(error.to_string().contains("sum 120"), "{error}");
    }
}
