use std::num::NonZeroU16;

use hotfix_core::model::{ImageReference, ObjectId, Release, SlotName, TagName, Version, WorkloadSnapshot};

use super::*;
use crate::state::TargetState;

fn slot(name: &str) -> SlotName {
    SlotName::new(name).expect("a slot name")
}

fn release(artifact: Artifact) -> Release {
    let tag = TagName::new("v2.1.0").expect("a tag");
    Release { version: Version::new(2, 1, 0), tag, artifact }
}

fn tree(digit: char) -> Release {
    release(Artifact::Tree(ObjectId::new(digit.to_string().repeat(40)).expect("an id")))
}

fn stage(release: Release) -> Verb {
    Verb::Stage { slot: slot("blue"), release, replicas: NonZeroU16::MIN }
}

fn empty() -> Desired {
    let listen = "127.0.0.1:0".parse().expect("an address");
    TargetState::empty([slot("blue"), slot("green")], listen).desired
}

fn renewed(desired: &Desired) -> Option<u64> {
    Some(desired.filling(&slot("blue"))?.renewed)
}

#[test]
fn an_image_does_not_run_here() {
    let image = format!("shop/api@sha256:{}", "a1".repeat(32));
    let image = Artifact::Image(ImageReference::new(&image).expect("a reference"));
    let refusal = Refusal::NotATree(image.id());
    assert_eq!(after(&empty(), &stage(release(image)), &ReadyInstances::new()), Err(refusal));
}

#[test]
fn a_restore_renews_what_it_puts_back_and_the_same_release_stays_renewed() {
    let nothing = ReadyInstances::new();
    let staged = after(&empty(), &stage(tree('0')), &nothing).expect("accepted");
    assert_eq!(renewed(&staged), Some(0));
    let snapshot = WorkloadSnapshot {
        slot: slot("blue"),
        release: tree('0'),
        replicas: NonZeroU16::MIN,
        backend: serde_json::Value::Null,
    };
    let before = Desired { generation: 4, ..staged };
    let restored = after(&before, &Verb::Restore { snapshot }, &nothing).expect("accepted");
    assert_eq!(renewed(&restored), Some(5));
    let again = after(&restored, &stage(tree('0')), &nothing).expect("accepted");
    assert_eq!(renewed(&again), Some(5));
}
