//! Shares of traffic by numbers of pods, where nothing can weigh requests: one Service selects the pods of both
//! slots and gives each pod the same, so that a slot gets about its share of the pods.
//!
//! It is no [`super::Route`]: a weight is a pair of replica counts. [`Pods::for_weight`] names the pair that comes
//! closest, and [`Fences::next`] the next pair on the way there that neither surges nor starves; [`super::dial`] puts
//! them together with the switch and is asked again after each wait for pods.
//!
//! In a ratio both slots keep the label by which the Service selects, so a staged pod would get traffic at once. The
//! Service keeps it out by one more term in its selector: `pod-template-hash`, the label that the ReplicaSet
//! controller puts on every pod, so it works on pods that nobody prepared. The term is the switch and the replica
//! counts are the dial:
//!
//! * `stage` adds the hash of the live slot first, then scales the other slot up; its pods get nothing.
//! * `shift` to a split brings the other slot to its count, removes the term, and only then makes the first smaller:
//!   pods that are not selected serve nobody.
//! * `shift` to all of one slot sets the hash of that slot as soon as its pods can bear it. One patch of the Service
//!   moves all traffic, with both sides still running.
//! * `retire` scales the side to zero and then removes the term: only the live slot is left to select, and a later
//!   rollout by anybody else changes the hash without an outage. While the copy is live the term stays, since nobody
//!   else rolls out the copy.
//!
//! Reading goes the same way: with the term, all is with the slot whose ReplicaSet has that hash; without it, the
//! weight is the one that was asked for, noted on the Service, since several weights round to one pair. A hash that
//! belongs to no ReplicaSet of the slots is foreign, and refused.

use crate::config::Allowance;

impl Allowance {
    /// As Kubernetes counts `maxSurge`: up.
    const fn up(self, of: u32) -> u32 {
        match self {
            Self::Pods(pods) => pods,
            Self::Percent(percent) => saturated((of as u64 * percent as u64).div_ceil(100)),
        }
    }

    /// As Kubernetes counts `maxUnavailable`: down.
    const fn down(self, of: u32) -> u32 {
        match self {
            Self::Pods(pods) => pods,
            Self::Percent(percent) => saturated(of as u64 * percent as u64 / 100),
        }
    }
}

const fn saturated(pods: u64) -> u32 {
    if pods > u32::MAX as u64 { u32::MAX } else { pods as u32 }
}

/// Between which numbers of pods a rollout has to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fences {
    /// The pods that are wanted.
    pub(crate) replicas: u32,
    /// The pods there may be beyond those.
    pub(crate) surge: u32,
    /// How many of those may be unavailable.
    pub(crate) unavailable: u32,
}

/// Pods of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pods {
    pub(crate) stable: u32,
    pub(crate) canary: u32,
}

/// One side as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    /// The replicas that its object asks for.
    pub(crate) asked: u32,
    /// The pods that are available.
    pub(crate) available: u32,
}

impl Running {
    /// The pods that will still be there: those beyond what is asked for are on their way out.
    fn lasting(self) -> u32 {
        self.available.min(self.asked)
    }
}

impl Fences {
    /// Counts the allowances out. As neither can be zero at once, one pod may then be unavailable.
    pub(crate) fn resolve(replicas: u32, surge: Allowance, unavailable: Allowance) -> Self {
        let surge = surge.up(replicas);
        let mut down = unavailable.down(replicas);
        if surge == 0 && down == 0 {
            down = 1;
        }
        Self { replicas, surge, unavailable: down.min(replicas) }
    }

    /// The most pods there may be.
    pub(crate) fn most(self) -> u32 {
        self.replicas.saturating_add(self.surge)
    }

    /// The fewest pods that have to be available.
    pub(crate) fn fewest_available(self) -> u32 {
        self.replicas - self.unavailable
    }

    /// Returns the counts to ask for next on the way to `goal`. `older` pods are of neither side and go first.
    ///
    /// The side that loses pods is reckoned by what it is asked for and the other by what is available there: a
    /// side that is given up cannot hold the other back by being ill.
    pub(crate) fn next(self, goal: Pods, stable: Running, canary: Running, older: u32) -> Pods {
        let mut next = Pods { stable: stable.asked, canary: canary.asked };
        let mut room =
            self.most().saturating_sub(stable.asked.saturating_add(canary.asked).saturating_add(older));
        for (asked, wanted) in [(&mut next.stable, goal.stable), (&mut next.canary, goal.canary)] {
            let more = wanted.saturating_sub(*asked).min(room);
            *asked += more;
            room -= more;
        }
        if older > 0 {
            return next;
        }
        if goal.canary >= canary.asked {
            let spare = canary.lasting().saturating_add(stable.asked).saturating_sub(self.fewest_available());
            (next.stable, next.canary) =
                self.drain(spare, (stable.asked, next.stable, goal.stable), (canary.asked, next.canary));
        } else {
            let spare = stable.lasting().saturating_add(canary.asked).saturating_sub(self.fewest_available());
            (next.canary, next.stable) =
                self.drain(spare, (canary.asked, next.canary, goal.canary), (stable.asked, next.stable));
        }
        next
    }

    /// Takes up to `spare` pods from the side that shrinks (asked for, next, goal), and from the other whatever
    /// would be too many.
    fn drain(
        self,
        spare: u32,
        (asked, mut next, goal): (u32, u32, u32),
        (_, mut other): (u32, u32),
    ) -> (u32, u32) {
        if spare == 0 {
            return (next, other);
        }
        if next > goal {
            next = asked.saturating_sub(spare).max(goal);
        }
        let too_many = next.saturating_add(other).saturating_sub(self.most());
        other = other.saturating_sub(too_many);
        let too_few = self.fewest_available().saturating_sub(next.saturating_add(other));
        (next + too_few, other)
    }
}

impl Pods {
    /// Returns the counts whose share comes closest to `percent` for the canary. With room for a surge one pod more
    /// than `replicas` may come closer. A side with any of the traffic has a pod, unless there is one pod in all and
    /// no surge; of two that are as close, the larger canary.
    pub(crate) fn for_weight(replicas: u32, percent: u8, surge: u32) -> Self {
        if replicas == 0 {
            return Self { stable: 0, canary: 0 };
        }
        let share = u64::from(replicas) * u64::from(percent.min(100));
        let (up, down) = (saturated(share.div_ceil(100)), saturated(share / 100));
        let one_sided = matches!(percent, 0 | 100..) || (replicas == 1 && surge == 0);
        let mut options = Vec::with_capacity(4);
        for total in [Some(replicas), (surge > 0).then(|| replicas.saturating_add(1))].into_iter().flatten() {
            let ends = |canary: u32| canary == 0 || canary >= total;
            options.extend(
                [up, down].into_iter().filter(|&canary| one_sided || !ends(canary)).map(|c| (c, total)),
            );
        }
        let distance = |&(canary, total): &(u32, u32)| Distance::of(canary, total, percent);
        // Of equals the first is kept, and the larger canary comes first.
        let best = options.into_iter().min_by_key(distance);
        let (canary, total) = best.unwrap_or((up, replicas));
        Self { stable: total - canary, canary }
    }
}

/// How far a share is from a percentage, compared without rounding.
#[derive(Debug, Clone, Copy)]
struct Distance {
    over: u64,
    total: u32,
}

impl Distance {
    fn of(canary: u32, total: u32, percent: u8) -> Self {
        let (is, wanted) = (u64::from(canary) * 100, u64::from(total) * u64::from(percent));
        Self { over: is.abs_diff(wanted), total }
    }
}

impl Ord for Distance {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let [left, right] = [(self, other), (other, self)];
        let cross = |(of, by): (&Self, &Self)| u128::from(of.over) * u128::from(by.total);
        cross(left).cmp(&cross(right))
    }
}

impl PartialOrd for Distance {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Distance {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Distance {}

#[cfg(test)]
#[path = "ratio_tests.rs"]
mod tests;
