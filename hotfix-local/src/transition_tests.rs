use hotfix_core::model::{ObjectId, Release, TagName, Version};
use std::num::NonZeroU16;

use super::*;
use crate::state::TargetState;

fn slot(name: &str) -> SlotName {
    SlotName::new(name).expect("a slot name")
}

fn release(digit: char) -> Release {
    let tree = ObjectId::new(digit.to_string().repeat(40)).expect("an id");
    Release {
        version: Version::new(2, 1, u64::from(digit)),
        tag: TagName::new(format!("v2.1.{digit}")).expect("a tag"),
        artifact: Artifact::Tree(tree),
    }
}

fn stage_verb(name: &str, digit: char) -> Verb {
    Verb::Stage { slot: slot(name), release: release(digit), replicas: NonZeroU16::MIN }
}

fn shift_verb(blue: u8) -> Verb {
    Verb::Shift { weights: Weights::split(slot("blue"), slot("green"), 100 - blue).expect("a split") }
}

fn restore_verb(name: &str, digit: char) -> Verb {
    let snapshot = WorkloadSnapshot {
        slot: slot(name),
        release: release(digit),
        replicas: NonZeroU16::MIN,
        backend: serde_json::Value::Null,
    };
    Verb::Restore { snapshot }
}

fn ready(slots: &[&str]) -> Ready {
    slots.iter().map(|name| (slot(name), 1)).collect()
}

fn empty() -> Desired {
    let listen = "127.0.0.1:0".parse().expect("an address");
    TargetState::empty([slot("blue"), slot("green")], listen).desired
}

fn run(verbs: &[Verb], ready: &Ready) -> Desired {
    verbs.iter().fold(empty(), |desired, verb| after(&desired, verb, ready).expect("accepted"))
}

/// Blue is live with release 0, green holds release 1 and `canary` percent of the traffic.
fn canary(canary: u8) -> Desired {
    let both = ready(&["blue", "green"]);
    let blue_live = [stage_verb("blue", '0'), shift_verb(100), Verb::Promote { slot: slot("blue") }];
    let mut verbs = blue_live.to_vec();
    verbs.extend([stage_verb("green", '1'), shift_verb(100 - canary)]);
    run(&verbs, &both)
}

#[test]
fn a_first_release_goes_live_by_stage_shift_promote() {
    let desired = run(
        &[stage_verb("blue", '0'), shift_verb(100), Verb::Promote { slot: slot("blue") }],
        &ready(&["blue"]),
    );
    assert_eq!((desired.live.clone(), desired.weight(&slot("blue"))), (Some(slot("blue")), 100));
    assert_eq!(desired.filling(&slot("blue")).map(|filling| filling.release.clone()), Some(release('0')));
    assert_eq!(desired.filling(&slot("green")), None);
}

#[test]
fn the_weight_rules_refuse_whoever_asks() {
    let both = ready(&["blue", "green"]);
    let none = Ready::new();
    let cases = [
        (
            canary(10),
            stage_verb("green", '2'),
            &both,
            Refusal::HasTraffic { slot: slot("green"), percent: 10 },
        ),
        (canary(100), stage_verb("blue", '2'), &both, Refusal::Live(slot("blue"))),
        (canary(0), shift_verb(90), &none, Refusal::NoReadyInstance(slot("green"))),
        (canary(10), shift_verb(100), &ready(&["green"]), Refusal::NoReadyInstance(slot("blue"))),
        (empty(), shift_verb(100), &both, Refusal::Empty(slot("blue"))),
        (
            canary(99),
            Verb::Promote { slot: slot("green") },
            &both,
            Refusal::NotAllTraffic { slot: slot("green"), percent: 99 },
        ),
        (
            canary(10),
            Verb::Retire { slot: slot("green") },
            &both,
            Refusal::HasTraffic { slot: slot("green"), percent: 10 },
        ),
        (canary(100), Verb::Retire { slot: slot("blue") }, &both, Refusal::Live(slot("blue"))),
        (
            empty(),
            Verb::Retire { slot: slot("red") },
            &both,
            Refusal::UnknownSlot { slot: slot("red"), known: "blue, green".to_owned() },
        ),
    ];
    for (desired, verb, ready, refusal) in cases {
        assert_eq!(after(&desired, &verb, ready), Err(refusal), "{verb}");
    }
}

#[test]
fn a_slot_in_use_grows_but_does_not_shrink() {
    let staged = |replicas| Verb::Stage {
        slot: slot("blue"),
        release: release('0'),
        replicas: NonZeroU16::new(replicas).expect("not zero"),
    };
    let grown = after(&canary(10), &staged(3), &Ready::new()).expect("more is fine");
    let three = NonZeroU16::new(3).expect("not zero");
    assert_eq!(grown.filling(&slot("blue")).map(|filling| filling.replicas), Some(three));
    let refusal = Refusal::InUse { slot: slot("blue"), replicas: three };
    assert_eq!(after(&grown, &staged(2), &Ready::new()), Err(refusal));
}

#[test]
fn a_hotfix_onto_a_broken_live_side_can_still_take_traffic() {
    let only_green = ready(&["green"]);
    let shifted = after(&canary(10), &shift_verb(75), &only_green).expect("blue only loses traffic");
    assert_eq!(shifted.weight(&slot("green")), 25);
}

#[test]
fn an_image_does_not_run_here() {
    let image = format!("shop/api@sha256:{}", "a1".repeat(32));
    let image = Artifact::Image(hotfix_core::model::ImageReference::new(&image).expect("a reference"));
    let release = Release { artifact: image.clone(), ..release('0') };
    let verb = Verb::Stage { slot: slot("blue"), release, replicas: NonZeroU16::MIN };
    assert_eq!(after(&empty(), &verb, &Ready::new()), Err(Refusal::NotATree(image.id())));
}

#[test]
fn a_verb_that_already_holds_changes_nothing() {
    let desired = canary(10);
    let both = ready(&["blue", "green"]);
    for verb in [stage_verb("green", '1'), stage_verb("blue", '0'), shift_verb(90), Verb::Resume] {
        assert_eq!(after(&desired, &verb, &both), Ok(desired.clone()), "{verb}");
    }
}

#[test]
fn restore_is_accepted_with_no_ready_instance_and_while_paused() {
    let paused = after(&canary(100), &Verb::Pause, &Ready::new()).expect("accepted");
    let refused = after(&paused, &shift_verb(100), &ready(&["blue"]));
    assert_eq!(refused, Err(Refusal::Paused(VerbName::Shift)));
    let restored = after(&paused, &restore_verb("blue", '0'), &Ready::new()).expect("accepted");
    assert_eq!((restored.live.clone(), restored.weight(&slot("blue"))), (Some(slot("blue")), 100));
    assert_eq!(restored.filling(&slot("green")), None);
    assert_eq!(restored.rollout, Rollout::Paused);
}

#[test]
fn preconditions_name_what_was_expected_and_found() {
    let desired = canary(10);
    let (old, new) = (release('0').artifact.id(), release('1').artifact.id());
    assert_eq!(holds(&desired, &Precondition::default()), Ok(()));
    let live = |artifact: &ArtifactId| Precondition { live: vec![artifact.clone()], holds: None };
    assert_eq!(holds(&desired, &live(&old)), Ok(()));
    let drift = Drift { expected: format!("live {new}"), found: format!("live {old}") };
    assert_eq!(holds(&desired, &live(&new)), Err(drift));
    let green =
        |artifact: &ArtifactId| Precondition { live: vec![], holds: Some((slot("green"), artifact.clone())) };
    assert_eq!(holds(&desired, &green(&new)), Ok(()));
    let drift = Drift { expected: format!("green {old}"), found: format!("green {new}") };
    assert_eq!(holds(&desired, &green(&old)), Err(drift));
    let drift = Drift { expected: format!("live {old}"), found: "live nothing".to_owned() };
    assert_eq!(holds(&empty(), &live(&old)), Err(drift));
}
