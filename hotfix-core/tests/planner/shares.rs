//! What of a plan can be left out on the way to all of the traffic.

use hotfix_core::plan::{Plan, StepId};
use hotfix_core::request::Strategy;

use super::world::{World, deploy, policy};

/// The steps that are left out when everything from `at` on is ahead, as people read them.
fn left_out(plan: &Plan, at: u16) -> Vec<String> {
    let left_out = plan.shares_ahead(|step| step >= StepId(at));
    let text = |id: StepId| plan.step(id).expect("a forward step").action.to_string();
    left_out.into_iter().map(text).collect()
}

/// The position of the only step that reads so.
fn position(plan: &Plan, text: &str) -> u16 {
    let at = plan.steps().iter().find(|step| step.action.to_string() == text);
    at.unwrap_or_else(|| panic!("{plan}")).id.0
}

fn planned(strategy: Strategy) -> Plan {
    World::shop().plan(&deploy(Some(strategy)), &policy())
}

#[test]
fn a_canary_goes_from_where_it_is_to_all_of_the_traffic() {
    let plan = planned(Strategy::Canary);
    let at = position(&plan, "production/shop: judge green at 50 % against blue");
    let rest = [
        "production/shop: judge green at 50 % against blue",
        "production/shop: shift traffic to blue 25 %, green 75 %",
        "production/shop: judge green at 75 % against blue",
    ];
    assert_eq!(left_out(&plan, at), rest);
    assert_eq!(left_out(&plan, 0).len(), 8, "staging and what all of the traffic rests on stay");
}

#[test]
fn a_rolling_rollout_keeps_the_batch_that_completes_it() {
    let plan = planned(Strategy::Rolling);
    let at = position(&plan, "production/shop: judge green at 33 % against blue");
    let rest = left_out(&plan, at);
    assert_eq!(rest.len(), 5, "{rest:?}");
    assert!(
        rest[1].starts_with("production/shop: stage ") && rest[1].ends_with("with 2 replica(s)"),
        "{rest:?}"
    );
    assert_eq!(rest[2], "production/shop: wait until green is ready");
}

#[test]
fn a_rollout_without_shares_has_nothing_to_leave_out() {
    for strategy in [Strategy::Direct, Strategy::BlueGreen] {
        let plan = planned(strategy);
        assert_eq!(plan.shares_ahead(|_| true), [], "{strategy}");
    }
    let plan = planned(Strategy::Canary);
    let whole = position(&plan, "production/shop: judge green at 100 %");
    assert_eq!(plan.shares_ahead(|step| step >= StepId(whole)), []);
}
