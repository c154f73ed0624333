//! `cargo xtask test`: format, lints, docs, tests, and every example to its end.

use crate::cluster::{self, Cluster};
use crate::command::{Run, say};
use crate::setup;

/// Every example, with the arguments it is run with.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("plan_only", &[]),
    ("judge_only", &["examples/judge_only/canary.json"]),
    ("judge_only", &["examples/judge_only/kayenta.json"]),
    ("custom_backend", &[]),
    ("hotfix", &["--help"]),
    ("quickstart", &[]),
    ("alert_rules", &["istio"]),
    ("prometheus_verify", &[]),
    ("k8s_rolling", &[]),
    ("k8s_blue_green", &[]),
    ("k8s_canary", &["istio"]),
    ("k8s_canary", &["gateway"]),
    ("k8s_rollback", &[]),
];

pub(crate) fn run() -> Result<(), String> {
    setup::need(&[setup::GIT, setup::CC, setup::PROMETHEUS, setup::ALERTMANAGER])?;
    Run::cargo(&["fmt", "--all", "--check"]).go()?;
    Run::cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]).go()?;
    Run::cargo(&["doc", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .go()?;
    let tests = ["test", "--workspace", "--all-features", "--no-fail-fast"];
    Run::cargo(&[&tests[..], &["--no-run"]].concat()).go()?;
    let cluster = cluster::get()?;
    match &cluster {
        Cluster::There => Run::cargo(&tests).go()?,
        Cluster::Missing(_) => Run::cargo(&[&tests[..], &["--", "--skip", cluster::TESTS]].concat()).go()?,
    }
    for (example, arguments) in EXAMPLES {
        if matches!(cluster, Cluster::Missing(_)) && example.starts_with(cluster::EXAMPLES) {
            continue;
        }
        let mut command = vec!["run", "--quiet", "--example", example, "--"];
        command.extend(*arguments);
        Run::cargo(&command).go()?;
    }
    match cluster {
        Cluster::There => say("everything passed"),
        Cluster::Missing(why) => {
            say(&format!(
                "everything passed but the tests named {}* and the examples named {}*, which were not run: {why}",
                cluster::TESTS,
                cluster::EXAMPLES
            ));
        }
    }
    Ok(())
}
