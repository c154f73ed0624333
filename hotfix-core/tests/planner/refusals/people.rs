//! Refusals that come from what people agreed on.

use hotfix_core::model::Severity;
use hotfix_core::policy::FreezeWindow;
use hotfix_core::request::{Goal, RollbackTo, Staging};

use super::super::world::{World, approval, at, deploy, policy, policy_with, rollback};
use super::refused;

#[test]
fn a_fix_is_minimal_unless_the_severity_lets_a_reason_count() {
    let world = World::shop();
    world.fix_with(&[("src/pay.rs", Some("fixed")), ("Cargo.lock", Some("2"))]);
    let policy = policy_with(|settings| settings.minimal_change.max_files = 1);
    let mut request = deploy(None);
    let mend = "give a reason (break-glass) if this is an emergency";
    let files = format!("the fix is not minimal: it changes 2 files, 1 are allowed; {mend}");
    let path = format!("the fix is not minimal: it changes Cargo.lock, which Cargo.lock forbids; {mend}");
    refused(&world, &request, &policy, &[&files, &path]);
    request.break_glass = Some(" ".to_owned());
    refused(&world, &request, &policy, &[&files, &path]);
    request.break_glass = Some("the lock file is the bug".to_owned());
    world.plan(&request, &policy);

    request.severity = Severity::P2;
    request.approvals.push(approval("lee", "2026-11-21T03:00:00Z"));
    let never = "the policy does not let \"a fix is minimal\" yield at this severity";
    let files = format!("the fix is not minimal: it changes 2 files, 1 are allowed; {never}");
    let path = format!("the fix is not minimal: it changes Cargo.lock, which Cargo.lock forbids; {never}");
    refused(&world, &request, &policy, &[&files, &path]);
}

#[test]
fn approvals_are_counted_by_person_and_age() {
    let world = World::shop();
    let mut request = deploy(None);
    request.severity = Severity::P2;
    request.approvals = vec![
        approval("Kim@example.com ", "2026-11-20T04:00:01Z"),
        approval("kim@example.com", "2026-11-21T03:00:00Z"),
        approval("ANA@example.com", "2026-11-21T03:00:00Z"),
        approval("lee", "2026-11-20T04:00:00Z"),
        approval("max", "2026-11-21T04:00:01Z"),
        approval("  ", "2026-11-21T03:00:00Z"),
    ];
    refused(
        &world,
        &request,
        &policy(),
        &["P2 needs 2 approvals of people other than \"ana@example.com\", 1 given (not counted: \
           \"kim@example.com\" agreed twice, \"ANA@example.com\" asks for it, \
           \"lee\" expired at 2026-11-21 04:00:00 UTC, \"max\" is dated in the future, one names nobody); collect them"],
    );
    request.approvals.push(approval("lee", "2026-11-20T04:00:01Z"));
    world.plan(&request, &policy());

    request.severity = Severity::P0;
    request.approvals.clear();
    refused(
        &world,
        &request,
        &policy(),
        &[
            "P0 needs 1 approval of people other than \"ana@example.com\", 0 given; collect them, or give a reason \
           (break-glass)",
        ],
    );
    request.break_glass = Some("INC-7".to_owned());
    world.plan(&request, &policy());
}

#[test]
fn a_freeze_holds_back_the_severities_it_names() {
    let world = World::shop();
    let policy = policy_with(|settings| {
        settings.freeze = vec![FreezeWindow {
            from: at("2026-11-20T00:00:00Z"),
            until: at("2026-11-23T00:00:00Z"),
            reason: "black friday".to_owned(),
            holds: [Severity::P1, Severity::P3].into(),
        }];
    });
    let mut request = deploy(None);
    refused(
        &world,
        &request,
        &policy,
        &[
            "P1 is not deployed until 2026-11-23 00:00:00 UTC: black friday; wait, or give a reason (break-glass) if \
           this is an emergency",
        ],
    );
    request.break_glass = Some("INC-7".to_owned());
    world.plan(&request, &policy);
    world.plan(&rollback(RollbackTo::LastKnownGood), &policy);
}

#[test]
fn staging_is_skipped_only_where_the_policy_lets_it() {
    let world = World::shop();
    let mut request = deploy(None);
    if let Goal::Deploy { staging, .. } = &mut request.goal {
        *staging = Staging::Skip;
    }
    let never = "staging cannot be skipped for P1 like this: the policy does not let \"staging comes first\" yield at \
                 this severity";
    refused(&world, &request, &policy(), &[never]);
    request.severity = Severity::P0;
    let reason =
        "staging cannot be skipped for P0 like this: give a reason (break-glass) if this is an emergency";
    refused(&world, &request, &policy(), &[reason]);
    world.plan(&deploy(None), &policy_with(|settings| settings.environments.staging = None));
}
