//! The command line from end to end: the built example, real processes, a repository in a temporary folder.

#[cfg(test)]
mod judge_only;
#[cfg(test)]
mod site;

use site::{Site, serve};

/// The service that the site deploys is this very program, started again by the manifest.
#[test]
fn service() {
    serve();
}

#[test]
fn a_fix_is_created_planned_deployed_and_taken_back() {
    let site = Site::installed("100ms");

    let created = site.hotfix(&["create", "--issue", "PROD-1", "--severity", "p3", "--yes"]);
    created.ends(0);
    assert_eq!(site.git(&["rev-parse", "hotfix/2.1.1"]), site.git(&["rev-parse", "v2.1.0^{commit}"]));
    site.hotfix(&["create", "--issue", "PROD-1", "--severity", "p3", "--yes"]).ends(0).says("nothing to do");
    site.git(&["branch", "-D", "hotfix/2.1.1"]);

    let first = site.commit("one", "fix: the first");
    let plan = site.deploy("plan", &first, &["--format", "mermaid"]);
    plan.ends(0).says("flowchart TD");
    site.deploy("plan", &first, &["--format", "json"]).ends(0).says("\"steps\"");
    assert_eq!(site.git(&["tag"]), "v2.1.0");

    site.deploy("deploy", &first, &[]).ends(2).complains("add --yes");
    site.deploy("deploy", &first, &["--yes"])
        .ends(0)
        .says("is live")
        .says("to go back: hotfix rollback --to 2.1.0 ");
    assert_eq!(site.git(&["tag"]), "v2.1.0\nv2.1.1\nv2.1.1-rc.1");
    assert_eq!(site.answer(), "one");
    site.hotfix(&["status"]).ends(0).says("production/shop: v2.1.1-rc.1 on").says("100 % of the traffic");

    let second = site.commit("two", "fix: the second");
    site.deploy("deploy", &second, &["--yes"]).ends(0).says("to go back: hotfix rollback --to 2.1.1 ");
    assert_eq!(site.answer(), "two");
    let back = ["rollback", "--to", "last-known-good", "--reason", "orders are missing", "--yes"];
    site.hotfix(&back).ends(0);
    assert_eq!(site.answer(), "one");
    let further = ["rollback", "--to", "2.1.0", "--reason", "so is the first", "--yes"];
    site.hotfix(&further).ends(0).says("no run judged it");
    assert_eq!(site.answer(), "zero");

    let runs = site.hotfix(&["status", "--all"]);
    let run = runs.first_run();
    runs.ends(0).says("ended");
    site.hotfix(&["watch", &run]).ends(0).says("[0]");
    site.hotfix(&["cancel", &run, "--reason", "too late"]).ends(1).complains("has ended");
    site.hotfix(&["resume"]).ends(0).says("no run was left");
}

#[test]
fn a_release_that_turns_bad_late_is_taken_back_when_somebody_agrees() {
    let site = Site::watching("1h");
    let flag = site.path("broken");
    let fix = site.commit(&format!("late {}", flag.display()), "fix: works for a while");
    site.deploy("deploy", &fix, &["--yes"]).ends(0).says("to watch it for 1h: hotfix resume");

    let mut watch = site.start(&["resume"]);
    watch.says(" 0 errors in ");
    std::fs::write(&flag, "").unwrap();
    let rollback = watch.says("wait until somebody agrees");
    assert!(rollback.ends_with("-watch-rollback"), "{rollback}");
    assert_eq!(site.answer(), format!("late {}", flag.display()), "nothing is changed before");
    site.hotfix(&["approve", &rollback, "--by=grace"]).ends(0).says("grace agrees to run run-");
    watch
        .finish()
        .ends(6)
        .says("error rate over 5 % within 10m: canary")
        .says("grace says: go on")
        .says("2.1.0 (v2.1.0) is live");
    assert_eq!(site.answer(), "zero");
    site.hotfix(&["approve", &rollback]).ends(1).complains("has ended");
    let again = ["rollback", "--to", "last-known-good", "--reason", "once more", "--yes"];
    site.hotfix(&again).ends(3).complains("was never proven healthy on production/shop; proven are: v2.1.0");
}

#[test]
fn a_run_that_was_left_keeps_others_out_and_is_resumed() {
    let site = Site::installed("5m");
    let fix = site.commit("one", "fix: the first");
    let mut driver = site.start_deploy(&fix);
    let run = driver.says(" step 5: ");
    site.deploy("deploy", &fix, &["--yes"]).ends(7).complains(&run);
    site.hotfix(&["resume", &run]).ends(7).complains("is driven by");
    driver
        .interrupt()
        .ends(8)
        .says(&format!("hotfix watch {run} --from"))
        .says(&format!("hotfix resume {run}"));
    site.hotfix(&["cancel", &run, "--reason", "wrong fix"]).ends(0);
    site.resume_when_free(&run).ends(4).says("wrong fix");
    assert_eq!(site.git(&["branch", "--list", "hotfix/*"]), "");
}

#[test]
fn a_production_branch_that_moves_meanwhile_is_left_to_a_human() {
    let site = Site::installed("2s");
    let fix = site.commit("one", "fix: the first");
    let driver = {
        let mut driver = site.start_deploy(&fix);
        driver.says(" step 5: ");
        driver
    };
    let moved = site.git(&["commit-tree", "v2.1.0^{tree}", "-p", "main", "-m", "somebody else's"]);
    site.git(&["update-ref", "refs/heads/main", &moved]);
    driver.finish().ends(6).says("a human must take over").says("refs/heads/main");
    assert_eq!(site.git(&["rev-parse", "main"]), moved);
    assert_eq!(site.git(&["tag", "--list", "v2.1.1"]), "");
    assert_eq!(site.answer(), "one");
}

#[test]
fn mistakes_are_named() {
    let site = Site::empty();
    site.hotfix(&["status", "--config", "nowhere.toml"]).ends(2).complains("nowhere.toml: No such file");
    site.write_config("service = \"shop\"\n[policy.source]\nprodction = \"main\"\n");
    let typo = "hotfix.toml: line 3, policy.source.prodction: unknown field `prodction`, expected one of";
    site.hotfix(&["status"]).ends(2).complains(typo);
    site.write_config("service = \"shop\"\n[policy.rollout]\ncanary_steps = [50, 10]\n");
    site.hotfix(&["status"]).ends(2).complains("policy.rollout.canary_steps is [50, 10]; allowed are rising");
    site.write_config("service = \"Shop\"\n");
    site.hotfix(&["status"]).ends(2).complains("line 1, service: invalid service name \"Shop\"");
    site.write_config("repository = \".\"\n");
    site.hotfix(&["status"]).ends(2).complains("hotfix.toml: missing field `service`");
    site.write_config("service = \"shop\"\n[targets.production]\nlisten = \"here\"\n");
    site.hotfix(&["status"])
        .ends(2)
        .complains("targets.production.listen: invalid address \"here\": allowed is");
    site.write_config("service = \"shop\"\n[targets.prod]\n");
    site.hotfix(&["status"]).ends(2).complains("targets.prod is no environment");
    site.write_config("service = \"shop\"\n");
    site.hotfix(&["watch", "run-0"]).ends(2).complains("there is no run run-0; `status` lists");
    site.hotfix(&["rollback", "--to", "newest", "--reason", "x"])
        .ends(2)
        .complains("allowed are last-known-good");
    site.hotfix(&["deploy"]).ends(2).complains("--issue");
    site.hotfix(&["install", "--tag", "v9.9.9"])
        .ends(2)
        .complains("there is no tag v9.9.9; there are v2.1.0");
    site.hotfix(&["rollback", "--reason", "x", "--yes"]).ends(3).complains("refused for");
    site.hotfix(&["--help"]).ends(0).says("7  busy");
}

#[test]
fn the_readme_has_the_exit_codes_of_the_help() {
    let readme = include_str!("../hotfix/README.md").replace('`', "");
    let help = Site::empty().hotfix(&["--help"]).out;
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let rows: Vec<_> = codes.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    assert_eq!(rows.len(), 9, "{codes}");
    for (code, meaning) in rows {
        assert!(readme.contains(&format!("| {code} | {meaning} |")), "{code}: {meaning}");
    }
}
