use proptest::prelude::*;

use super::Allowance::{Percent, Pods as Count};
use super::*;

fn fences(replicas: u32, surge: Allowance, unavailable: Allowance) -> Fences {
    Fences::resolve(replicas, surge, unavailable)
}

fn running(asked: u32, available: u32) -> Running {
    Running { asked, available }
}

#[test]
fn allowances_are_counted_as_kubernetes_counts_them() {
    let cases = [
        (10, Percent(25), Percent(25), 3, 2),
        (10, Percent(0), Percent(0), 0, 1),
        (10, Count(2), Count(0), 2, 0),
        (3, Percent(1), Percent(99), 1, 2),
        (2, Count(0), Count(5), 0, 2),
        (0, Percent(25), Percent(25), 0, 0),
        (1, Percent(0), Percent(50), 0, 1),
    ];
    for (replicas, surge, unavailable, up, down) in cases {
        let expected = Fences { replicas, surge: up, unavailable: down };
        assert_eq!(fences(replicas, surge, unavailable), expected);
        assert_eq!((expected.most(), expected.fewest_available()), (replicas + up, replicas - down));
    }
}

/// (replicas, percent, surge, unavailable), (asked, available) of the stable side and of the canary, and what to ask
/// for next of both.
type Vector = ((u32, u8, Allowance, Allowance), (u32, u32), (u32, u32), (u32, u32));

#[test]
fn counts_follow_the_known_vectors() {
    let vectors: [Vector; 17] = [
        ((10, 20, Count(2), Count(0)), (10, 10), (0, 0), (10, 2)),
        ((10, 20, Percent(20), Count(0)), (10, 10), (2, 2), (8, 2)),
        ((10, 30, Count(2), Count(0)), (10, 10), (0, 0), (10, 2)),
        ((10, 20, Count(0), Count(2)), (10, 10), (0, 0), (8, 0)),
        ((10, 50, Count(2), Count(1)), (10, 10), (0, 0), (9, 2)),
        ((10, 0, Count(1), Count(1)), (10, 10), (1, 1), (10, 0)),
        ((10, 100, Count(1), Count(1)), (1, 1), (10, 10), (0, 10)),
        ((1, 20, Count(1), Count(0)), (1, 1), (0, 0), (1, 1)),
        ((1, 90, Count(1), Count(0)), (1, 1), (0, 0), (1, 1)),
        ((1, 49, Count(0), Count(1)), (1, 1), (0, 0), (1, 0)),
        ((1, 51, Count(0), Count(1)), (1, 1), (0, 0), (0, 0)),
        ((10, 30, Count(0), Count(3)), (8, 5), (4, 4), (7, 3)),
        ((10, 100, Count(1), Count(0)), (10, 2), (10, 8), (2, 9)),
        ((10, 5, Count(0), Count(1)), (9, 9), (0, 0), (9, 1)),
        ((10, 10, Percent(0), Percent(0)), (10, 10), (0, 0), (9, 0)),
        ((3, 99, Count(0), Count(2)), (3, 3), (0, 0), (1, 0)),
        ((3, 99, Count(0), Count(2)), (1, 1), (0, 0), (1, 2)),
    ];
    for ((replicas, percent, surge, unavailable), stable, canary, (to_stable, to_canary)) in vectors {
        let fences = fences(replicas, surge, unavailable);
        let goal = Pods::for_weight(replicas, percent, fences.surge);
        let next = fences.next(goal, running(stable.0, stable.1), running(canary.0, canary.1), 0);
        let expected = Pods { stable: to_stable, canary: to_canary };
        assert_eq!(
            next, expected,
            "{replicas} pods, {percent} %, {surge:?}, {unavailable:?}, {stable:?}, {canary:?}"
        );
    }
}

#[test]
fn weights_become_the_closest_counts() {
    let cases = [
        (10, 20, 1, (8, 2)),
        (10, 1, 0, (9, 1)),
        (10, 99, 0, (1, 9)),
        (10, 25, 0, (7, 3)),
        (10, 0, 1, (10, 0)),
        (10, 100, 1, (0, 10)),
        (1, 50, 0, (0, 1)),
        (1, 50, 1, (1, 1)),
        (2, 34, 1, (2, 1)),
        (0, 50, 1, (0, 0)),
    ];
    for (replicas, percent, surge, (stable, canary)) in cases {
        let expected = Pods { stable, canary };
        assert_eq!(Pods::for_weight(replicas, percent, surge), expected, "{percent} % of {replicas}");
    }
}

#[test]
fn pods_of_neither_side_go_first() {
    let fences = fences(10, Count(2), Count(0));
    let goal = Pods { stable: 8, canary: 2 };
    let next = fences.next(goal, running(10, 10), running(0, 0), 1);
    assert_eq!(next, Pods { stable: 10, canary: 1 });
}

/// Three pods, a surge of two, none may be missing, and a canary of three is taken back: the stable side comes up to
/// its two places first, and the canary goes as stable pods become available.
#[test]
fn a_canary_is_taken_back_without_going_short() {
    let fences = fences(3, Count(2), Count(0));
    let goal = Pods { stable: 3, canary: 0 };
    assert_eq!(fences.next(goal, running(0, 0), running(3, 3), 0), Pods { stable: 2, canary: 3 });
    assert_eq!(fences.next(goal, running(2, 0), running(3, 3), 0), Pods { stable: 2, canary: 3 });
    assert_eq!(fences.next(goal, running(2, 2), running(3, 3), 0), Pods { stable: 2, canary: 1 });
    assert_eq!(fences.next(goal, running(2, 2), running(1, 1), 0), Pods { stable: 3, canary: 1 });
    assert_eq!(fences.next(goal, running(3, 3), running(1, 1), 0), goal);
}

proptest! {
    /// From any start within the fences, with pods that become available between two looks, the goal is reached,
    /// and on the way there are never too many pods nor too few available ones.
    #[test]
    fn every_way_ends_at_the_goal_within_the_fences(
        replicas in 1_u32..40, percent in 0_u8..=100, start in 0_u8..=100, surge in 0_u32..5, unavailable in 0_u32..5,
    ) {
        let fences = fences(replicas, Count(surge), Count(unavailable));
        let goal = Pods::for_weight(replicas, percent, fences.surge);
        let mut now = Pods::for_weight(replicas, start, fences.surge);
        for _ in 0..300 {
            let next = fences.next(goal, running(now.stable, now.stable), running(now.canary, now.canary), 0);
            prop_assert!(next.stable + next.canary <= fences.most().max(now.stable + now.canary));
            let kept = next.stable.min(now.stable) + next.canary.min(now.canary);
            prop_assert!(kept >= fences.fewest_available().min(now.stable + now.canary), "{now:?} to {next:?}");
            if next == now {
                break;
            }
            now = next;
        }
        prop_assert_eq!(now, goal);
    }
}
