//! How many pods a slot gets where somebody else scales the Deployment that is theirs.
//!
//! The main Deployment is its team's, and so is its size: what they or an autoscaler made it since a plan was made is
//! not taken away by staging there or by going back to it. The copy is ours, and bears its share of whatever the main
//! Deployment was made.

use hotfix_core::model::Weights;

use crate::sight::{self, Sight, Unreadable};
use crate::slot::Side;

/// Returns how many pods a slot is given that is to have `wanted` and has `present`.
pub(crate) fn kept(side: Side, wanted: u16, present: u16) -> u16 {
    match side {
        Side::Main if wanted > 0 => wanted.max(present),
        Side::Main | Side::Hotfix => wanted,
    }
}

/// Returns how many pods the copy needs for a larger share of the traffic, if that is more than it has. Nothing that
/// goes back waits for more pods.
pub(crate) fn needed(sight: &Sight, weights: &Weights) -> Result<Option<u16>, Unreadable> {
    let slot = sight.slots.name(Side::Hotfix);
    let percent = weights.of(slot);
    let Some(copy) = &sight.hotfix else { return Ok(None) };
    if sight.live()? != Some(Side::Main) || percent <= sight.weights()?.of(slot) {
        return Ok(None);
    }
    let needed = (u32::from(sight::replicas(&sight.main.value)) * u32::from(percent)).div_ceil(100);
    let needed = u16::try_from(needed).unwrap_or(u16::MAX);
    let present = sight::replicas(&copy.value);
    // An empty copy gets no traffic, and is not for a shift to fill.
    Ok((present > 0 && needed > present).then_some(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_main_deployment_keeps_what_others_made_it() {
        assert_eq!(kept(Side::Main, 3, 5), 5);
        assert_eq!(kept(Side::Main, 3, 2), 3);
        assert_eq!(kept(Side::Main, 0, 5), 0, "it is emptied");
        assert_eq!(kept(Side::Hotfix, 3, 5), 3);
    }
}
