//! `cargo xtask test`: format, lints, docs, tests, and every example to its end.

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
];

pub(crate) fn run() -> Result<(), String> {
    setup::need(&[setup::GIT, setup::CC, setup::PROMETHEUS, setup::ALERTMANAGER])?;
    Run::cargo(&["fmt", "--all", "--check"]).go()?;
    Run::cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]).go()?;
    Run::cargo(&["doc", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .go()?;
    Run::cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"]).go()?;
    for (example, arguments) in EXAMPLES {
        let mut command = vec!["run", "--quiet", "--example", example, "--"];
        command.extend(*arguments);
        Run::cargo(&command).go()?;
    }
    say("everything passed");
    Ok(())
}
