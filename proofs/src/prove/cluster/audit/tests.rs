//! The auditor notices what it is there for: each test forges one line of the server's log, or one object.

mod objects;
mod ours;
mod story;

use serde_json::{Value, json};

use self::story::*;
use super::super::way;
use super::{Evidence, Side, check, check_apart};
use crate::prove::audit::{Findings, Journal};

#[test]
fn a_run_that_keeps_to_the_rules_is_fine() {
    let mut story = shifted();
    story.seal(&OBJECTS, "1.3");
    assert_eq!(story.audit(&journal()), [] as [String; 0]);
}

#[test]
fn what_was_refused_or_is_not_ours_is_no_evidence() {
    let mut story = shifted();
    let left = story.fences.clone();
    story.patch("deployments/shop", stamped("1.1"), &[]);
    story.fences = left;
    story.last()["responseStatus"]["code"] = json!(422);
    story.event(
        "kubectl",
        "patch",
        "deployments/shop",
        json!([{"op": "replace", "path": "/spec/paused", "value": true}]),
    );
    // A claim is no change of a target.
    story.event(
        US,
        "patch",
        "leases/hotfix.production.shop",
        json!([{"op": "add", "path": "/spec/renewTime", "value": "2026-11-21T12:00:00.000000Z"}]),
    );
    assert_eq!(story.audit(&journal()), [] as [String; 0]);
}

#[test]
fn a_change_whose_caller_was_gone_counts_if_the_next_one_found_it() {
    let mut story = staged();
    let before = story.clone();
    story.raise(ROUTE, "1.2");
    story.last()["responseStatus"]["code"] = json!(504);
    let lost = story.log.len() - 1;
    story.seal(&[ROUTE], "1.3");
    assert_eq!(story.audit(&journal()), [] as [String; 0], "it was there");
    story.fences = before.fences;
    story.log.pop();
    story.seal(&[ROUTE], "1.3");
    assert_eq!(story.audit(&journal()), [] as [String; 0], "it was not there");
    story.log[lost]["responseStatus"]["code"] = json!(200);
    assert_ne!(story.audit(&journal()), [] as [String; 0], "it was there, and the next one did not find it");
}

#[test]
fn of_two_changes_whose_callers_were_gone_the_second_tells_of_the_first() {
    let mut story = staged();
    story.raise(ROUTE, "1.2");
    story.last()["responseStatus"]["code"] = json!(504);
    story.seal(&[ROUTE], "1.3");
    story.last()["responseStatus"]["code"] = json!(504);
    story.seal(&[ROUTE], "1.4");
    assert_eq!(story.audit(&journal()), [] as [String; 0]);
}

#[test]
fn two_changes_that_were_written_down_the_wrong_way_round_are_told_apart_by_what_they_compare_with() {
    let mut story = staged();
    story.raise(ROUTE, "1.2");
    story.seal(&[ROUTE], "1.3");
    story.raise("deployments/shop", "1.2");
    story.seal(&["deployments/shop"], "1.3");
    let (last, late) = (story.log.len() - 1, time(story.now + 5));
    story.log[last - 1]["stageTimestamp"] = json!(late);
    assert_eq!(story.audit(&journal()), [] as [String; 0]);
}

#[test]
fn a_change_without_a_stamp_is_found() {
    let mut story = shifted();
    let uid = json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"});
    let pause = json!([uid, {"op": "add", "path": "/spec/paused", "value": true}]);
    story.event(US, "patch", "deployments/shop", pause);
    assert!(story.found().contains("deployments/shop at") && story.found().ends_with("carries no stamp"));
    let fence = "/metadata/annotations/hotfix.dev~1fence";
    story.last()["requestObject"] = json!([uid, {"op": "add", "path": fence, "value": "{}"}]);
    assert!(story.found().ends_with("the fence {} cannot be read"), "{}", story.found());
}

#[test]
fn a_stamp_that_falls_is_found() {
    let mut story = shifted();
    story.raise("deployments/shop", "1.1");
    assert_eq!(story.found(), "deployments/shop accepted 1.1 after 1.2");
}

#[test]
fn a_change_below_a_seal_is_found_and_so_is_one_at_it() {
    let mut story = staged();
    story.seal(&OBJECTS, "1.2");
    let mut at = story.clone();
    at.raise("deployments/shop", "1.2");
    let left = json!({"stamp": "1.2"});
    at.last()["requestObject"][1]["value"] = json!(left.to_string());
    assert_eq!(at.found(), "deployments/shop accepted 1.2 after 1.2, a seal");
    story.raise("deployments/shop", "1.1");
    assert_eq!(story.found(), "deployments/shop accepted 1.1 after 1.2, a seal");
}

/// The seal left one object out, so that its own fence tells nothing.
#[test]
fn a_change_after_the_target_was_sealed_is_found_on_whichever_object() {
    let sealed_at = |ms| {
        let mut records = records();
        records.insert(
            3,
            (
                "run-1",
                micros(ms),
                json!({"kind": "sealed", "body": {"step": 2, "stamp": {"epoch": 1, "seq": 3}}}),
            ),
        );
        let mut story = staged();
        story.raise(ROUTE, "1.2");
        story.seal(&[ROUTE], "1.3");
        story.raise("deployments/shop", "1.2");
        story.audit(&Journal::timed(&records))
    };
    assert_eq!(sealed_at(115), [] as [String; 0], "somebody was faster than the seal");
    assert_eq!(sealed_at(105), ["deployments/shop at 1.2 came after the target was sealed at 1.3"]);
}

#[test]
fn a_seal_that_changes_more_than_the_fence_is_found() {
    let mut story = staged();
    let half = HALF.map(|(path, old, new)| (path, json!(old), json!(new)));
    story.patch(ROUTE, sealed("1.3"), &half);
    assert_eq!(story.found(), format!("{ROUTE} at 1.3 is a seal and changes more"));
}

#[test]
fn an_effect_that_skips_the_anchor_is_found() {
    let mut story = shifted();
    story.raise("deployments/shop", "1.3");
    let mut records = records();
    records.insert(3, ("run-1", micros(90), intent(3, 3)));
    let found = story.audit(&Journal::timed(&records));
    assert_eq!(found, [format!("deployments/shop at 1.3 comes before {ROUTE}, which tells who may go on")]);
}

#[test]
fn one_stamp_of_two_users_is_no_effect_that_goes_on() {
    const OTHER: &str = "system:serviceaccount:kill:rival";
    let mut story = staged();
    story.raise(ROUTE, "1.2");
    story.raise(ROUTE, "1.2");
    assert_eq!(story.audit(&journal()), [] as [String; 0], "the same user goes on");
    story.last()["user"]["username"] = json!(OTHER);
    let (ours, theirs) = (journal(), journal());
    let sides =
        [Side { user: US.to_owned(), journal: &ours }, Side { user: OTHER.to_owned(), journal: &theirs }];
    let mut findings = Findings::default();
    check(&Evidence { log: &story.log, sides: &sides, way: &way::VIRTUAL_SERVICE }, &mut findings);
    assert_eq!(findings.violations, [format!("{ROUTE} accepted 1.2 after 1.2 of {US}")]);
}

#[test]
fn an_effect_that_goes_on_after_its_key_was_recorded_is_found() {
    let mut story = staged();
    story.patch("deployments/shop-hotfix", recorded("1.1", "run-1:1"), &[]);
    assert_eq!(story.found(), "deployments/shop-hotfix accepted 1.1 after 1.1");
}

#[test]
fn an_effect_that_was_applied_twice_is_found() {
    let mut story = shifted();
    story.patch("deployments/shop", recorded("1.2", "run-1:2"), &[]);
    assert!(story.found().ends_with("run-1:2 was applied twice"), "{}", story.found());
}

/// The fence has each key once, so the second time is told by what else the change does.
#[test]
fn an_effect_that_was_applied_again_under_its_key_is_found() {
    let mut records = records();
    records.insert(3, ("run-1", micros(115), intent(2, 3)));
    let journal = Journal::timed(&records);
    let mut story = shifted();
    let mut quiet = story.clone();
    quiet.patch(ROUTE, recorded("1.3", "run-1:2"), &[]);
    assert_eq!(quiet.audit(&journal), [] as [String; 0], "a repetition only raises the fence");
    story.patch(ROUTE, recorded("1.3", "run-1:2"), &[("/spec/http/0/route/0/weight", json!(50), json!(50))]);
    let found = story.audit(&journal);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("run-1:2 was applied again"), "{found:?}");
}

#[test]
fn an_effect_that_goes_on_elsewhere_after_its_key_was_recorded_is_found() {
    let mut story = shifted();
    story.patch("deployments/shop", stamped("1.2"), &[("/spec/replicas", json!(1), json!(2))]);
    assert_eq!(story.found(), "deployments/shop at 1.2 was changed after the key of the effect was recorded");
}

#[test]
fn a_key_under_the_stamp_of_another_effect_is_found() {
    let mut story = staged();
    story.patch(ROUTE, recorded("1.2", "run-1:7"), &[]);
    let found = story.found();
    assert_eq!(found, format!("{ROUTE} accepted run-1:7 at 1.2, which is the stamp of run-1:2"));
}

#[test]
fn a_key_that_is_forgotten_is_found() {
    let mut story = shifted();
    story.patch("deployments/shop-hotfix", stamped("1.2"), &[]);
    let found = story.found();
    assert_eq!(found, "deployments/shop-hotfix forgot Some((\"run-1:1\", (1, 1))) at 1.2");
}

#[test]
fn a_change_that_nobody_wrote_down_before_is_found() {
    let mut story = shifted();
    story.raise(ROUTE, "1.9");
    assert!(story.found().contains("accepted 1.9") && story.found().ends_with("its intent is None"));
    let mut late = records();
    late[2].1 = micros(4000);
    let found = shifted().audit(&Journal::timed(&late));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|found| found.contains("accepted 1.2")), "{found:?}");
}

#[test]
fn a_seal_of_an_epoch_that_has_not_begun_is_found() {
    let mut story = staged();
    story.seal(&[ROUTE], "2.1");
    assert_eq!(story.found(), format!("{ROUTE} was sealed at 2.1, but its epoch begins at None"));
}

#[test]
fn a_change_after_the_end_is_found() {
    let mut early = records();
    early[3].1 = micros(105);
    let found = shifted().audit(&Journal::timed(&early));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(ROUTE) && found[0].ends_with("after the run had ended"), "{found:?}");
}

#[test]
fn what_goes_on_after_a_failure_is_found_and_what_goes_back_is_not() {
    let failed = ("run-1", micros(75), json!({"kind": "verdict", "body": {"verdict": {"outcome": "fail"}}}));
    let mut records = records();
    records.insert(2, failed);
    let found = shifted().audit(&Journal::timed(&records));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found.iter().all(|found| found.ends_with("goes on with step 2 after the verdict was fail")),
        "{found:?}"
    );
    let mut back = records.clone();
    back[3] = ("run-1", micros(85), intent(6, 2));
    back[3].2["body"]["key"] = json!("run-1:2");
    assert_eq!(shifted().audit(&Journal::timed(&back)), [] as [String; 0]);
}

#[test]
fn two_runs_that_interleave_are_found() {
    let begun = |epoch: u64, step: u16, run: &str| {
        let stamp = json!({"epoch": epoch, "seq": 1});
        json!({"kind": "intent", "body": {"step": step, "stamp": stamp, "key": format!("{run}:{step}")}})
    };
    let mut records = records();
    records.splice(3..3, [("run-2", micros(112), planned()), ("run-2", micros(115), begun(2, 1, "run-2"))]);
    let mut story = shifted();
    story.raise(ROUTE, "2.1");
    assert_eq!(story.audit(&Journal::timed(&records)), [] as [String; 0]);
    records.insert(5, ("run-1", micros(125), begun(3, 3, "run-1")));
    story.raise(ROUTE, "3.1");
    let found = story.audit(&Journal::timed(&records));
    assert_eq!(found, [format!("{ROUTE} by run-1 at 3.1 comes after changes of run-2: they interleave")]);
}

#[test]
fn of_two_who_share_no_journal_neither_gets_below_the_other() {
    const OTHER: &str = "system:serviceaccount:kill:rival";
    let audit = |stamp: &str| {
        let mut story = shifted();
        story.patch("deployments/shop", recorded(stamp, "run-1:1"), &[]);
        story.last()["user"]["username"] = json!(OTHER);
        let (ours, theirs) = (journal(), journal());
        let sides =
            [Side { user: US.to_owned(), journal: &ours }, Side { user: OTHER.to_owned(), journal: &theirs }];
        let mut findings = Findings::default();
        check_apart(&Evidence { log: &story.log, sides: &sides, way: &way::VIRTUAL_SERVICE }, &mut findings);
        findings.violations.join("\n")
    };
    assert_eq!(audit("1.1"), "deployments/shop accepted 1.1 after 1.2");
    assert_eq!(audit("1.2"), "deployments/shop accepted run-1:1 at 1.2, which is the stamp of run-1:2");
}

#[test]
fn traffic_for_a_side_without_a_ready_pod_is_found() {
    type Forge = fn(&mut Story);
    let unready: [Forge; 2] = [
        |story| story.pod("shop-hotfix-5d4-bbbbb", false),
        |story| story.event("controller", "delete", "pods/shop-hotfix-5d4-bbbbb", Value::Null),
    ];
    for forge in unready {
        let mut story = staged();
        forge(&mut story);
        shift(&mut story);
        assert!(story.found().starts_with("shop-hotfix was given 50 %"), "{}", story.found());
    }
}

#[test]
fn shares_that_are_not_whole_are_found() {
    let mut story = shifted();
    story.last()["requestObject"].as_array_mut().expect("a patch").pop();
    let found = story.found();
    assert_eq!(found, format!("the shares of {ROUTE} are {{\"shop\": 50, \"shop-hotfix\": 0}}"));
}
