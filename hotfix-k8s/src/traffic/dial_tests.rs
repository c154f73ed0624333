use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::Allowance;

/// A dial with three pods wanted of which two may be more and none may be missing.
fn dial(main: (u32, Option<u32>, u32), hotfix: (u32, Option<u32>, u32), selected: Selected) -> Dial {
    let crew = |(asked, of, ready): (u32, Option<u32>, u32)| Crew {
        size: Size { asked, of },
        ready,
        present: asked.max(ready),
        ..Crew::default()
    };
    let hashes = |hash: &str| Hashes { current: Some(hash.to_owned()), older: [].into() };
    Dial {
        service: PinnedService {
            object: ObjectRef::service("prod", "shop"),
            main: hashes("aaa"),
            hotfix: hashes("bbb"),
        },
        slots: Slots::new(),
        allowed: ReplicasTraffic { max_surge: Allowance::Pods(2), max_unavailable: Allowance::Pods(0) },
        selected,
        share: None,
        crews: PerSide { main: crew(main), hotfix: crew(hotfix) },
    }
}

fn resize(side: Side, asked: u32, of: Option<u32>) -> Move {
    Move::Resize(side, Size { asked, of })
}

use Side::{Hotfix, Main};

/// A slot was made smaller and larger again in a moment: the pod that is too many may be ended all the same.
#[test]
fn pods_that_are_about_to_be_ended_are_not_counted_on() {
    for (asked, by_controller, ready) in [(3, 3, 3), (2, 3, 2), (3, 2, 2), (0, 3, 0)] {
        let template = json!({"metadata": {"labels": {"app": "shop"}}});
        let deployment =
            json!({"metadata": {"name": "shop"}, "spec": {"replicas": asked, "template": template}});
        let mut hashed = template.clone();
        hashed["metadata"]["labels"]["pod-template-hash"] = "aaa".into();
        let set = json!({
            "metadata": {"name": "shop-aaa", "labels": {"pod-template-hash": "aaa"},
                "ownerReferences": [{"kind": "Deployment", "name": "shop", "controller": true}]},
            "spec": {"replicas": by_controller, "template": hashed},
        });
        let pod = json!({
            "metadata": {"name": "p", "labels": {"pod-template-hash": "aaa"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "shop-aaa", "controller": true}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        let (sets, pods) = (vec![ReplicaSet::read(&set).unwrap()], vec![Pod::read(&pod); 3]);
        let crew = Crew::read(&deployment, &Hashes::of(&deployment, &sets), &sets, &pods);
        assert_eq!(
            (crew.ready, crew.present),
            (ready, 3),
            "{asked} asked, {by_controller} by the controller"
        );
    }
}

/// Three pods, a surge of two, none may be missing; the canary has three and the old side none: the old side comes to
/// two first, and the canary stays until they are there.
#[test]
fn an_old_side_without_pods_comes_up_before_the_canary_goes() {
    let held = Selected::Current(Hotfix);
    let begun = dial((0, None, 0), (3, None, 3), held).back_to(Main, 3, Patience::Left);
    assert_eq!(begun, Back::Later(vec![resize(Main, 2, Some(3))]));
    let starting = dial((2, Some(3), 0), (3, None, 3), held).back_to(Main, 3, Patience::Left);
    assert_eq!(starting, Back::Later(vec![]));
    let ready = dial((2, Some(3), 2), (3, None, 3), held).back_to(Main, 3, Patience::Left);
    assert_eq!(ready, Back::Later(vec![Move::Select(Pin::Nowhere, None)]));
    let shared = dial((2, Some(3), 2), (3, None, 3), Selected::Both).back_to(Main, 3, Patience::Left);
    assert_eq!(shared, Back::Later(vec![resize(Main, 2, Some(3)), resize(Hotfix, 1, Some(3))]));
    let room = dial((2, Some(3), 2), (1, Some(3), 1), Selected::Both).back_to(Main, 3, Patience::Left);
    assert_eq!(room, Back::Later(vec![resize(Main, 3, Some(3)), resize(Hotfix, 1, Some(3))]));
    let last = dial((3, Some(3), 2), (1, Some(3), 1), Selected::Both).back_to(Main, 3, Patience::Left);
    assert_eq!(last, Back::Later(vec![resize(Main, 3, Some(3)), resize(Hotfix, 1, Some(3))]));
    assert_eq!(
        dial((3, Some(3), 3), (1, Some(3), 1), Selected::Both).back_to(Main, 3, Patience::Left),
        Back::Now
    );
    assert_eq!(
        dial((3, None, 3), (0, None, 0), Selected::Current(Main)).back_to(Main, 3, Patience::Left),
        Back::There
    );
}

#[test]
fn what_was_not_made_smaller_gets_the_traffic_back_at_once_ill_or_not() {
    let whole =
        |ready| dial((3, None, ready), (1, Some(3), 1), Selected::Both).back_to(Main, 3, Patience::Left);
    assert_eq!(whole(3), Back::Now);
    assert_eq!(whole(1), Back::Now);
    assert_eq!(whole(0), Back::Later(vec![resize(Main, 3, Some(3)), resize(Hotfix, 1, Some(3))]));
    let late = dial((2, Some(3), 0), (2, Some(3), 2), Selected::Both);
    assert_eq!(late.back_to(Main, 3, Patience::Over), Back::Now);
    let dead = dial((2, Some(3), 0), (2, Some(3), 0), Selected::Both);
    assert_eq!(dead.back_to(Main, 3, Patience::Left), Back::Now);
}

/// A slot that has no traffic is not let in by an undo of the other, whose pods were replaced.
#[test]
fn an_undo_lets_no_staged_slot_in() {
    let mut replaced = dial((3, None, 0), (1, Some(3), 1), Selected::Older(Main));
    replaced.crews.main.older_ready = 1;
    assert_eq!(replaced.back_to(Main, 3, Patience::Left), Back::Later(vec![]));
    replaced.crews.main.ready = 1;
    assert_eq!(replaced.back_to(Main, 3, Patience::Left), Back::Now);
    let foreign = dial((3, None, 3), (1, Some(3), 1), Selected::Foreign);
    assert_eq!(foreign.back_to(Main, 3, Patience::Left), Back::Now);
}

#[test]
fn staged_pods_are_kept_out_and_are_as_many_as_there_is_room_for() {
    let pinned = Move::Select(Pin::To(Main), None);
    let plain = dial((3, None, 3), (0, None, 0), Selected::Both);
    assert_eq!(plain.stage(Hotfix, 3, 0), Some((pinned, Size { asked: 2, of: Some(3) })));
    assert_eq!(plain.stage(Hotfix, 1, 0), Some((pinned, Size { asked: 1, of: None })));
    let mut unseen = plain.clone();
    unseen.service.main.current = None;
    assert_eq!(unseen.stage(Hotfix, 3, 0), None);
    // Others are replacing the pods of the live slot: those of its template are fewer than serve.
    let mut rolled = plain;
    (rolled.crews.main.ready, rolled.crews.main.older_ready) = (1, 2);
    assert_eq!(rolled.stage(Hotfix, 3, 0), None);
}

#[test]
fn weights_are_those_asked_for_or_what_the_pods_come_to() {
    let service = serde_json::json!({"spec": {"selector": {"app": "shop", "pod-template-hash": "zzz"}}});
    let read = |dial: &Dial| dial.read(&service).map(|weights| weights.of(&dial.slots.hotfix));
    let both = dial((2, Some(3), 2), (1, Some(3), 1), Selected::Both);
    assert_eq!(read(&both), Ok(33));
    assert_eq!(read(&Dial { share: Some(25), ..both.clone() }), Ok(25));
    assert_eq!(read(&Dial { selected: Selected::Current(Hotfix), ..both.clone() }), Ok(100));
    assert_eq!(read(&Dial { selected: Selected::Older(Main), ..both.clone() }), Ok(0));
    let refused = read(&Dial { selected: Selected::Foreign, ..both }).unwrap_err().to_string();
    assert!(refused.contains("\"zzz\" is the hash of a template of neither slot"), "{refused}");
    assert_eq!(read(&dial((0, None, 0), (3, None, 3), Selected::Both)), Ok(100));
}

/// What is asked for step by step, with pods that are ready at the next look.
struct World {
    dial: Dial,
    whole: u32,
}

impl World {
    fn serving(&self) -> u32 {
        let lasting = |side: Side| {
            let crew = self.dial.crews.get(side);
            crew.ready.min(crew.size.asked)
        };
        match self.dial.selected {
            Selected::Current(side) => lasting(side),
            _ => lasting(Main) + lasting(Hotfix),
        }
    }

    fn total(&self) -> u32 {
        self.dial.crews.main.there() + self.dial.crews.hotfix.there()
    }

    /// Makes a move and checks that it keeps to the allowances.
    fn make(&mut self, next: Move) {
        let fences = self.dial.fences(self.whole);
        let (serving, total) = (self.serving(), self.total());
        match next {
            Move::Resize(side, size) => {
                let crew = if side == Main { &mut self.dial.crews.main } else { &mut self.dial.crews.hotfix };
                crew.size = size;
                crew.ready = crew.ready.min(size.asked);
                crew.present = crew.present.max(size.asked);
            }
            Move::Select(Pin::To(side), _) => {
                (self.dial.selected, self.dial.share) = (Selected::Current(side), None);
            }
            Move::Select(Pin::Nowhere, share) => {
                (self.dial.selected, self.dial.share) = (Selected::Both, share);
            }
            Move::UntilLeft(_) => {}
        }
        let least = fences.fewest_available().min(serving);
        assert!(self.serving() >= least, "{next:?} leaves {} of {least}", self.serving());
        let most = fences.most().max(total);
        assert!(self.total() <= most, "{next:?} makes {} of {most}", self.total());
    }

    fn settle(&mut self) {
        for crew in [&mut self.dial.crews.main, &mut self.dial.crews.hotfix] {
            (crew.ready, crew.present) = (crew.size.asked, crew.size.asked);
        }
    }

    fn shift(&mut self, live: Side, percent: u8) {
        for _ in 0..300 {
            let course = match percent {
                0 => self.dial.all_to(live, self.whole),
                100 => self.dial.all_to(live.other(), self.whole),
                percent => self.dial.split(live, percent),
            };
            course.moves.iter().for_each(|next| self.make(*next));
            if course.end == End::Reached {
                return;
            }
            self.settle();
        }
        panic!("{percent} % is never reached: {:?}", self.dial);
    }

    fn restore(&mut self, side: Side) {
        for _ in 0..300 {
            match self.dial.back_to(side, self.whole, Patience::Left) {
                Back::There => return,
                Back::Now => self.make(Move::Select(Pin::To(side), None)),
                Back::Later(moves) => moves.into_iter().for_each(|next| self.make(next)),
            }
            self.settle();
        }
        panic!("the traffic never comes back: {:?}", self.dial);
    }
}

proptest! {
    /// Any shares one after the other, and then back, from either slot: each is reached, and at no move are there too
    /// many pods or too few with traffic.
    #[test]
    fn every_share_is_reached_within_the_allowances(
        whole in 1_u32..30, surge in 1_u32..5, unavailable in 0_u32..4, live in prop::bool::ANY,
        shares in prop::collection::vec(0_u8..=100, 1..5),
    ) {
        let live = if live { Main } else { Hotfix };
        let mut dial = dial((whole, None, whole), (0, None, 0), Selected::Both);
        if live == Hotfix {
            std::mem::swap(&mut dial.crews.main, &mut dial.crews.hotfix);
            dial.selected = Selected::Current(Hotfix);
        }
        dial.allowed =
            ReplicasTraffic { max_surge: Allowance::Pods(surge), max_unavailable: Allowance::Pods(unavailable) };
        let mut world = World { dial, whole };
        let (pin, size) = world.dial.stage(live.other(), whole, 0).unwrap();
        world.make(pin);
        world.make(Move::Resize(live.other(), size));
        world.settle();
        for percent in shares {
            world.shift(live, percent);
            world.settle();
            if (1..100).contains(&percent) {
                let goal = Pods::for_weight(whole, percent, surge);
                let asked = (world.dial.size(live).asked, world.dial.size(live.other()).asked);
                prop_assert_eq!(asked, (goal.stable, goal.canary));
            }
            let service = serde_json::json!({"spec": {"selector": {}}});
            prop_assert_eq!(world.dial.read(&service).unwrap().of(world.dial.slots.name(live.other())), percent);
        }
        world.restore(live);
    }
}
