//! Plans as people and programs see them, compared with reviewed files.
//!
//! After an intended change: `cargo test -p hotfix-core rewrite_golden_files -- --ignored`, then read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use hotfix_core::model::{Period, Severity};
use hotfix_core::plan::{Mermaid, Plan};
use hotfix_core::request::{Goal, Request, RollbackTo, Staging, Strategy};

use super::world::{
    World, branch, deploy, policy, policy_with, production, request, rollback, slot, staging,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planner/golden")
}

fn plans() -> Vec<(&'static str, Plan)> {
    let strategies = [
        ("deploy-direct", Strategy::Direct),
        ("deploy-rolling", Strategy::Rolling),
        ("deploy-blue-green", Strategy::BlueGreen),
    ];
    let mut plans: Vec<_> = strategies
        .into_iter()
        .map(|(name, strategy)| (name, World::shop().plan(&deploy(Some(strategy)), &policy())))
        .collect();
    plans.push(("deploy-canary", World::shop().plan(&deploy(None), &policy())));
    plans.push(("deploy-break-glass", break_glass()));
    plans.push(("deploy-troubled", troubled()));
    plans
        .push(("create", World::shop().plan(&request(Severity::P1, Goal::Create { from: None }), &policy())));
    plans.push(("rollback-cold", World::shop().plan(&rollback(RollbackTo::LastKnownGood), &policy())));
    plans.push(("rollback-warm", warm()));
    let home = World::shop();
    home.come_home_to("blue");
    plans.push(("deploy-home", home.plan(&deploy(Some(Strategy::BlueGreen)), &policy())));
    plans.push(("rollback-home", home.plan(&rollback(RollbackTo::LastKnownGood), &policy())));
    plans.push(("rollback-asks", World::shop().plan(&asking(), &policy())));
    plans.push(("watch", World::shop().plan(&watch(), &policy())));
    plans
}

/// The rollback that a watch prepares.
fn asking() -> Request {
    let goal = Goal::Rollback {
        target: production(),
        to: RollbackTo::LastKnownGood,
        because: Some("fail: error rate over 5 % within 10m: canary 61 errors in 1000 requests".to_owned()),
        ask: Some(Period::from_hours(1)),
    };
    request(Severity::P1, goal)
}

fn watch() -> Request {
    request(Severity::P1, Goal::Watch { target: production(), lasting: Period::from_hours(2) })
}

/// P0 at night: nobody to approve, no time for staging.
fn break_glass() -> Plan {
    let mut request = deploy(None);
    request.severity = Severity::P0;
    request.approvals.clear();
    request.break_glass = Some("checkout is down for everybody, INC-7".to_owned());
    if let Goal::Deploy { staging, .. } = &mut request.goal {
        *staging = Staging::Skip;
    }
    World::shop().plan(&request, &policy())
}

/// Develop conflicts, the baseline is short of an instance and was never proven, the spare slot is not empty.
fn troubled() -> Plan {
    let mut world = World::shop();
    world.proven.clear();
    world.deployer.set_ready(&production(), &slot("blue"), 2);
    let develop = world.git.resolve("develop").unwrap();
    let other = world.git.commit(&[develop], &[("src/pay.rs", Some("rewritten"))], "rewrite payments");
    world.git.set_branch(&branch("develop"), Some(&other));
    let leftover = world.release("v2.0.9");
    world.deployer.install(&staging(), &slot("green"), &leftover, 1.try_into().unwrap());
    let live = world.release("v2.1.0");
    world.deployer.install(&staging(), &slot("blue"), &live, 1.try_into().unwrap());
    world.plan(&deploy(None), &policy_with(|settings| settings.rollout.staging_soak = "0s".parse().unwrap()))
}

/// The fix is live, its predecessor still there, and now it turns out to be bad.
fn warm() -> Plan {
    let mut world = World::shop();
    let plan = world.plan(&deploy(None), &policy());
    let retire = plan.steps().iter().position(|step| step.action.to_string().contains("retire")).unwrap();
    world.run(&plan, retire);
    world.plan(&rollback(RollbackTo::LastKnownGood), &policy())
}

fn renderings(name: &str, plan: &Plan) -> [(String, String); 3] {
    let json = serde_json::to_string_pretty(plan).unwrap() + "\n";
    [
        (format!("{name}.txt"), plan.to_string()),
        (format!("{name}.json"), json),
        (format!("{name}.mmd"), Mermaid(plan).to_string()),
    ]
}

#[test]
fn plans_are_shown_as_reviewed() {
    let mut different = Vec::new();
    for (name, plan) in plans() {
        for (file, text) in renderings(name, &plan) {
            let reviewed = fs::read_to_string(folder().join(&file)).unwrap_or_default();
            if reviewed != text {
                different.push(format!("{file} differs; now it is:\n{text}"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

#[test]
fn every_golden_file_belongs_to_a_plan() {
    let expected: Vec<String> = plans()
        .into_iter()
        .flat_map(|(name, _)| ["json", "mmd", "txt"].map(|kind| format!("{name}.{kind}")))
        .collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(expected.contains(&name), "{name} belongs to no plan; delete it");
    }
}

#[test]
fn a_plan_read_back_from_json_is_the_same_plan() {
    for (name, plan) in plans() {
        let json = serde_json::to_string(&plan).unwrap();
        let again: Plan = serde_json::from_str(&json).unwrap();
        assert_eq!(again, plan, "{name}");
        assert_eq!(again.digest(), plan.digest(), "{name}");
    }
}

#[test]
#[ignore = "rewrites the reviewed files"]
fn rewrite_golden_files() {
    for (name, plan) in plans() {
        for (file, text) in renderings(name, &plan) {
            fs::write(folder().join(file), text).unwrap();
        }
    }
}
