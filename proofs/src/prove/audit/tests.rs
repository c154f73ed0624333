//! The auditor notices what it is there for: each test forges one piece of evidence.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Ending, Findings, Journal, TARGETS, source, target};
use crate::prove::program::git;

fn intent(seq: u32) -> Value {
    json!({"kind": "intent", "body": {"step": seq, "stamp": {"epoch": 1, "seq": seq}, "key": format!("run-1:{seq}")}})
}

fn outcome(seq: u32) -> Value {
    json!({"kind": "outcome", "body": {"step": seq, "stamp": {"epoch": 1, "seq": seq}}})
}

fn terminal() -> Value {
    json!({"kind": "terminal", "body": {"outcome": "succeeded"}})
}

fn journal(records: &[Value]) -> Journal {
    Journal::of("ended", &[], records)
}

fn verdict(step: u16, outcome: &str) -> Value {
    json!({"kind": "verdict", "body": {"step": step, "verdict": {"outcome": outcome}}})
}

fn whole() -> Vec<Value> {
    vec![
        json!({"kind": "planned"}),
        intent(1),
        outcome(1),
        intent(2),
        outcome(2),
        verdict(1, "pass"),
        terminal(),
    ]
}

fn found(look: impl FnOnce(&mut Findings)) -> String {
    let mut findings = Findings::default();
    look(&mut findings);
    assert!(findings.checks > 0, "nothing was looked at");
    findings.violations.join("\n")
}

fn ended(journal: &Journal) -> String {
    found(|findings| journal.check_ended(Ending::Live, findings))
}

#[test]
fn a_journal_that_ends_once_and_last_is_fine() {
    assert_eq!(ended(&journal(&whole())), "");
}

#[test]
fn a_second_end_and_anything_after_the_end_are_found() {
    let twice = [whole(), vec![terminal()]].concat();
    assert_eq!(ended(&journal(&twice)), "2 terminal records");
    let after = [whole(), vec![json!({"kind": "signal"})]].concat();
    assert_eq!(ended(&journal(&after)), "the last record is not the terminal one");
    let never = &whole()[..6];
    assert!(ended(&journal(never)).starts_with("0 terminal records"));
}

#[test]
fn a_gate_that_was_judged_twice_is_found() {
    let mut records = whole();
    records.insert(6, verdict(1, "pass"));
    let found = ended(&journal(&records));
    assert!(found.starts_with("a gate was judged twice: ") && !found.contains('\n'), "{found}");
}

#[test]
fn an_effect_without_outcome_and_a_wrong_end_are_found() {
    let mut open = whole();
    open.remove(4);
    assert!(ended(&journal(&open)).contains("differ"));
    let wrong = found(|findings| journal(&whole()).check_ended(Ending::Back, findings));
    assert_eq!(wrong, "the outcome is \"succeeded\", not rolled_back");
}

#[test]
fn a_claim_that_stays_and_a_run_that_goes_on_are_found() {
    let left = Journal::of("active", &["production/shop"], &whole());
    assert_eq!(ended(&left), "the run is active\nstill claimed: [\"production/shop\"]");
}

#[test]
fn a_success_that_nobody_proved_is_found() {
    for (verdicts, found) in [(vec![], "[]"), (vec![verdict(1, "pass"), verdict(2, "fail")], "[true, false]")]
    {
        let mut records = whole();
        records.splice(5..6, verdicts);
        assert_eq!(ended(&journal(&records)), format!("it succeeded with the verdicts {found}"));
    }
}

#[test]
fn a_negative_that_was_believed_without_a_seal_is_found() {
    let retry = |failure: Value| {
        let result = json!({"result": "retry", "failure": failure});
        json!({"kind": "outcome", "body": {"step": 1, "stamp": {"epoch": 1, "seq": 1}, "result": result}})
    };
    let seal = |seq| json!({"kind": "sealed", "body": {"step": 1, "stamp": {"epoch": 1, "seq": seq}}});
    let with = |middle: &[Value]| {
        let mut records = whole();
        records.splice(2..3, middle.iter().cloned());
        ended(&journal(&records))
    };
    let [interrupted, unanswered] = [json!("interrupted"), json!({"unanswered": "timeout"})].map(retry);
    assert_eq!(with(&[seal(2), interrupted.clone()]), "");
    assert_eq!(with(&[retry(json!({"rejected": {"busy": {}}}))]), "");
    for doubtful in [interrupted, unanswered] {
        let found = with(std::slice::from_ref(&doubtful));
        assert_eq!(found, "step 1 at (1, 1) counts as not applied, sealed is None");
        let found = with(&[seal(1), doubtful]);
        assert_eq!(found, "step 1 at (1, 1) counts as not applied, sealed is Some((1, 1))");
    }
}

fn write(number: u64, seq: u32, key: &str, change: &str) -> Value {
    let change = json!({"change": change, "key": key});
    json!({"number": number, "stamp": {"epoch": 1, "seq": seq}, "change": change})
}

fn written(writes: &[Value]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("targets").join(TARGETS[0]);
    fs::create_dir_all(&target).expect("a folder");
    let lines: Vec<String> = writes.iter().map(ToString::to_string).collect();
    fs::write(target.join("writes.jsonl"), lines.join("\n")).expect("a file");
    let state = json!({"last_write": writes.last()});
    fs::write(target.join("state.json"), state.to_string()).expect("a file");
    found(|findings| target::check_writes(folder.path(), TARGETS[0], &journal(&whole()), findings))
}

#[test]
fn writes_that_were_intended_once_are_fine() {
    let writes =
        [write(1, 1, "run-1:1", "applied"), write(2, 2, "run-1:2", "applied"), write(3, 3, "", "sealed")];
    assert_eq!(written(&writes), "");
}

#[test]
fn a_write_that_was_applied_twice_is_found() {
    let writes = [write(1, 1, "run-1:1", "applied"), write(2, 2, "run-1:1", "applied")];
    let found = written(&writes);
    assert!(found.contains("run-1:1 was applied twice"), "{found}");
}

#[test]
fn a_write_that_nobody_wrote_down_before_is_found() {
    let found = written(&[write(1, 9, "run-1:9", "applied")]);
    assert_eq!(found, "write 1 of staging/shop: run-1:9 at (1, 9) was accepted, committed is None");
}

#[test]
fn a_stamp_that_falls_and_a_write_that_is_missing_are_found() {
    let writes = [write(1, 2, "run-1:2", "applied"), write(3, 1, "run-1:1", "applied")];
    let found = written(&writes);
    assert!(found.contains("has number 3"), "{found}");
    assert!(found.contains("stamp (1, 1) is not above (1, 2)"), "{found}");
}

fn pushed(marks: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| git(folder.path(), arguments).expect("git");
    run(&["init", "--quiet", "--bare", "."]);
    let tree = run(&["hash-object", "-w", "-t", "tree", "/dev/null"]);
    let mut tip: Option<String> = None;
    for mark in marks {
        let parent = tip.as_deref().map(|tip| vec!["-p", tip]).unwrap_or_default();
        let next = run(&[&["commit-tree", &tree, "-m", mark], &parent[..]].concat());
        tip = Some(next);
    }
    run(&["update-ref", "refs/hotfix/fence/shop", &tip.expect("a mark")]);
    fence(folder.path())
}

fn fence(origin: &Path) -> String {
    found(|findings| source::check_fence(origin, &journal(&whole()), findings))
}

const FIRST: &str = "hotfix fence: apply\n\nstamp 1.1\nkey run-1:1\nmove refs/heads/a - 1\n";

#[test]
fn a_chain_of_intended_pushes_is_fine() {
    assert_eq!(pushed(&[FIRST, "hotfix fence: seal\n\nstamp 1.5\n"]), "");
}

#[test]
fn a_push_that_came_twice_or_uncalled_for_is_found() {
    let again = "hotfix fence: apply\n\nstamp 1.2\nkey run-1:1\n";
    let found = pushed(&[FIRST, again]);
    assert!(found.contains("\"run-1:1\") was pushed twice"), "{found}");
    assert!(found.contains("committed is Some(\"run-1:2\")"), "{found}");
    let falling = "hotfix fence: seal\n\nstamp 1.0\n";
    assert_eq!(pushed(&[FIRST, falling]), "the fence has (1, 0) after (1, 1)");
}
