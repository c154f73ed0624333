//! The auditor notices what it is there for: each test forges one line of the server's log, or one object.

mod story;

use serde_json::{Value, json};

use self::story::*;
use super::{Evidence, Side, Wanted, check_apart, check_objects};
use crate::prove::audit::{Findings, Journal};

#[test]
fn a_run_that_keeps_to_the_rules_is_fine() {
    let mut story = shifted();
    for object in ["deployments/shop", "deployments/shop-hotfix", ROUTE] {
        let mut fence = sealed("1.3");
        fence["applied"] = story.fences[object]["applied"].clone();
        story.patch(object, fence, &[]);
    }
    assert_eq!(story.audit(&journal()), [] as [String; 0]);
}

#[test]
fn what_was_refused_or_is_not_ours_is_no_evidence() {
    let mut story = shifted();
    story.patch("deployments/shop", stamped("1.1"), &[]);
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
    story.patch("deployments/shop", stamped("1.2"), &[]);
    story.last()["responseStatus"]["code"] = json!(504);
    let (lost, found) = (story.log.len() - 1, sealed("1.3"));
    story.patch("deployments/shop", found.clone(), &[]);
    assert_eq!(story.audit(&journal()), [] as [String; 0], "it was there");
    story.fences = before.fences;
    story.log.pop();
    story.patch("deployments/shop", found, &[]);
    assert_eq!(story.audit(&journal()), [] as [String; 0], "it was not there");
    story.log[lost]["responseStatus"]["code"] = json!(200);
    assert_ne!(story.audit(&journal()), [] as [String; 0], "it was there, and the next one did not find it");
}

#[test]
fn two_changes_that_were_written_down_the_wrong_way_round_are_told_apart_by_what_they_compare_with() {
    let mut story = staged();
    story.patch("deployments/shop", stamped("1.2"), &[]);
    story.patch("deployments/shop", sealed("1.3"), &[]);
    let (last, late) = (story.log.len() - 1, time(story.now + 5));
    story.log[last - 1]["stageTimestamp"] = json!(late);
    assert_eq!(story.audit(&journal()), [] as [String; 0]);
}

#[test]
fn a_change_without_a_stamp_is_found() {
    let mut story = shifted();
    story.event(
        US,
        "patch",
        "deployments/shop",
        json!([{"op": "add", "path": "/spec/paused", "value": true}]),
    );
    assert!(story.found().contains("deployments/shop at") && story.found().ends_with("carries no stamp"));
    story.last()["requestObject"] =
        json!([{"op": "add", "path": "/metadata/annotations/hotfix.dev~1fence", "value": "{}"}]);
    assert!(story.found().ends_with("the fence {} cannot be read"), "{}", story.found());
}

#[test]
fn a_stamp_that_falls_is_found() {
    let mut story = shifted();
    story.patch("deployments/shop", stamped("1.1"), &[]);
    assert_eq!(story.found(), "deployments/shop accepted 1.1 after 1.2");
}

#[test]
fn a_change_below_a_seal_is_found_and_so_is_one_at_it() {
    let mut story = staged();
    story.patch("deployments/shop", sealed("1.2"), &[]);
    let mut at = story.clone();
    at.patch("deployments/shop", json!({"stamp": "1.2"}), &[]);
    assert_eq!(at.found(), "deployments/shop accepted 1.2 after 1.2, a seal");
    story.patch("deployments/shop", stamped("1.1"), &[]);
    assert_eq!(story.found(), "deployments/shop accepted 1.1 after 1.2, a seal");
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

#[test]
fn a_key_under_the_stamp_of_another_effect_is_found() {
    let mut story = staged();
    story.patch("deployments/shop", recorded("1.2", "run-1:7"), &[]);
    let found = story.found();
    assert_eq!(found, "deployments/shop accepted run-1:7 at 1.2, which is the stamp of run-1:2");
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
    story.patch("deployments/shop", stamped("1.9"), &[]);
    assert!(story.found().contains("accepted 1.9") && story.found().ends_with("its intent is None"));
    let mut late = records();
    late[2].1 = micros(4000);
    let found = shifted().audit(&Journal::timed(&late));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|found| found.contains("accepted 1.2")), "{found:?}");
}

#[test]
fn a_seal_of_an_epoch_that_has_not_begun_is_found() {
    let mut story = staged();
    story.patch("deployments/shop", sealed("2.1"), &[]);
    assert_eq!(story.found(), "deployments/shop was sealed at 2.1, but its epoch begins at None");
}

#[test]
fn a_change_after_the_end_is_found() {
    let mut early = records();
    early[3].1 = micros(95);
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
    assert_eq!(found.len(), 2, "{found:?}");
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
    let mut records = records();
    let other = |seq: u32| json!({"kind": "intent", "body": {"step": 1, "stamp": {"epoch": 2, "seq": seq}, "key": "run-2:1"}});
    records.splice(3..3, [("run-2", micros(0), planned()), ("run-2", micros(100), other(1))]);
    let mut story = shifted();
    let mut fence = stamped("2.1");
    story.patch("deployments/shop", fence.clone(), &[]);
    assert_eq!(story.audit(&Journal::timed(&records)), [] as [String; 0]);
    records.insert(
        5,
        (
            "run-1",
            micros(105),
            json!({"kind": "intent", "body": {
                "step": 3, "stamp": {"epoch": 3, "seq": 1}, "key": "run-1:3",
            }}),
        ),
    );
    fence["stamp"] = json!("3.1");
    story.patch("deployments/shop", fence, &[]);
    let found = story.audit(&Journal::timed(&records));
    assert_eq!(found, ["deployments/shop by run-1 at 3.1 comes after changes of run-2: they interleave"]);
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
        check_apart(&Evidence { log: &story.log, sides: &sides, route: ROUTE }, &mut findings);
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

#[test]
fn what_is_overwritten_unseen_is_found() {
    let forge = |remove: usize| {
        let mut story = shifted();
        story.last()["requestObject"].as_array_mut().expect("a patch").remove(remove);
        story.found()
    };
    assert_eq!(forge(2), format!("patch of {ROUTE} may be for another object of that name"));
    assert_eq!(
        forge(3),
        format!("patch of {ROUTE} overwrites /spec/http/0/route/0/weight without having looked")
    );
    let mut stale = shifted();
    stale.last()["requestObject"][0]["value"] = json!("{\"stamp\":\"0.1\"}");
    assert!(stale.found().ends_with("its fence was {\"stamp\":\"0.0\"}"), "{}", stale.found());
}

fn objects() -> Value {
    let container = json!({"image": "shop/web:2.1.0"});
    json!({
        "main": {
            "metadata": {"annotations": {"hotfix.dev/live": "main"}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
            "status": {"readyReplicas": 1},
        },
        "copy": {"spec": {"replicas": 0}},
        "route": {"spec": {"selector": {"app": "shop"}}},
    })
}

#[test]
fn objects_that_are_not_as_they_should_be_are_found() {
    let before = objects();
    let look = |objects: &Value, wanted| {
        let mut findings = Findings::default();
        check_objects(objects, wanted, &mut findings);
        findings.violations.join("\n")
    };
    assert_eq!(look(&before, Wanted::AsBefore(&before)), "");
    assert_eq!(look(&before, Wanted::Image("shop/web:2.1.0")), "");
    let wrong = look(&before, Wanted::Image("shop/web:2.1.1"));
    assert_eq!(wrong, "shop runs \"shop/web:2.1.0\", not shop/web:2.1.1");
    let forged = [
        ("/main/spec/template/spec/containers/0/image", json!("shop/web:2.1.1"), "shop is "),
        ("/main/spec/replicas", json!(3), "shop is "),
        ("/main/metadata/annotations/hotfix.dev~1live", json!("hotfix"), "\"hotfix\" is marked as live"),
        ("/copy/spec/replicas", json!(1), "the copy still wants 1 pods"),
        ("/route/spec/selector/app", json!("shop-hotfix"), "the route is "),
        ("/main/status/readyReplicas", json!(0), "0 of 1 pods of shop are ready"),
    ];
    for (path, value, expected) in forged {
        let mut forged = objects();
        *forged.pointer_mut(path).expect(path) = value;
        let found = look(&forged, Wanted::AsBefore(&before));
        assert!(found.starts_with(expected), "{path}: {found}");
    }
}
