//! Policies: complete by default, read from TOML on top of the defaults, and never nonsensical.

use hotfix_core::model::{Period, Severity};
use hotfix_core::policy::{ApprovalRule, InvalidPolicy, Policy, Review, Rule, Settings};
use hotfix_core::port::{ChangedPath, DiffSize};
use hotfix_core::request::Strategy;

use super::world::at;

fn read(text: &str) -> Policy {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn faults(change: impl FnOnce(&mut Settings)) -> Vec<String> {
    let mut settings = Settings::default();
    change(&mut settings);
    let Err(InvalidPolicy { faults }) = Policy::new(settings) else { panic!("the policy was accepted") };
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_file_is_the_default_policy() {
    assert_eq!(read(""), Policy::default());
    assert_eq!(Policy::new(Settings::default()).unwrap(), Policy::default());
}

#[test]
fn the_default_table_is_that_of_the_handbook() {
    let policy = Policy::default();
    let cells = Severity::ALL.map(|severity| {
        let rules = policy.severities.of(severity);
        (
            rules.acknowledge_within.to_string(),
            rules.deploy_within.to_string(),
            rules.update_every.to_string(),
        )
    });
    let expected = [("5m", "2h", "15m"), ("15m", "4h", "30m"), ("1h", "1d", "2h"), ("1d", "2d", "1d")];
    assert_eq!(cells, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    let table = &policy.severities;
    let day = Period::from_hours(24);
    assert_eq!(table.p0.approvals, ApprovalRule::Waived { review_within: day });
    assert_eq!(table.p1.approvals, ApprovalRule::Needed { count: 1 });
    assert_eq!(table.p2.approvals, ApprovalRule::Needed { count: 2 });
    assert_eq!(table.p3.approvals, ApprovalRule::Normal);
    assert_eq!(table.p0.review, Review::Mandatory { draft_within: day, due_within: Period::from_hours(48) });
    assert!(
        matches!(table.p1.review, Review::Mandatory { due_within, .. } if due_within == Period::from_hours(72))
    );
    assert!(table.p0.yields.contains(&Rule::StagingFirst) && !table.p1.yields.contains(&Rule::StagingFirst));
}

#[test]
fn a_file_sets_single_cells_and_keeps_the_rest() {
    let policy = read(
        r#"
        facts_last = "1m"
        [source]
        develop = "develop"
        branch = "hotfix/{issue}"
        [environments]
        staging = "none"
        [rollout]
        canary_steps = [50, 100]
        [severities.p1]
        strategy = "blue_green"
        approvals = { rule = "needed", count = 3 }
        first_public_post_within = "none"
        "#,
    );
    assert_eq!(policy.source.develop.as_ref().unwrap().as_str(), "develop");
    assert_eq!((policy.environments.staging.clone(), policy.rollout.rolling_batch), (None, 1));
    let p1 = &policy.severities.p1;
    assert_eq!((p1.strategy, p1.approvals), (Strategy::BlueGreen, ApprovalRule::Needed { count: 3 }));
    assert_eq!((p1.first_public_post_within, p1.update_every), (None, Period::from_mins(30)));
    assert_eq!(policy.severities.p0, Policy::default().severities.p0);
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let mut settings = Settings::default();
    settings.environments.staging = None;
    settings.severities.p0.public_update_every = None;
    settings.severities.p2.actions_within = Some(Period::from_hours(10));
    settings.freeze = vec![window("2026-12-20T00:00:00Z", "2027-01-02T00:00:00Z")];
    let policy = Policy::new(settings).unwrap();
    assert_eq!(read(&toml::to_string(&policy).unwrap()), policy);
    assert_eq!(serde_json::from_str::<Policy>(&serde_json::to_string(&policy).unwrap()).unwrap(), policy);
}

#[test]
fn unknown_and_invalid_values_are_named() {
    for (text, expected) in [
        ("sources = 1", "unknown field `sources`"),
        ("[rollout]\nsteps = [1]", "unknown field `steps`"),
        ("[severities.p1]\ncolour = 1", "unknown field `colour`"),
        ("[source]\nbranch = \"hotfix\"", "invalid branch template \"hotfix\""),
        ("[source]\nbranch = \"hotfix/{who}/{issue}\"", "invalid branch template"),
        ("[minimal_change]\nforbidden = [\"../x\"]", "invalid path pattern \"../x\""),
        ("[rollout]\ncanary_steps = [50, 20, 100]", "rollout.canary_steps is [50, 20, 100]; allowed are"),
        ("[rollout]\ncanary_steps = [300]", "invalid value: integer `300`"),
        ("facts_last = \"soon\"", "invalid period \"soon\""),
    ] {
        let error = toml::from_str::<Policy>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

fn window(from: &str, until: &str) -> hotfix_core::policy::FreezeWindow {
    hotfix_core::policy::FreezeWindow {
        from: at(from),
        until: at(until),
        reason: "year end".to_owned(),
        holds: [Severity::P3].into(),
    }
}

type Change = fn(&mut Settings);

/// Settings that make no sense, and what is said of each.
const NONSENSE: [(Change, &str); 17] = [
    (|s| s.rollout.rolling_batch = 0, "rollout.rolling_batch is 0; allowed are 1 or more"),
    (
        |s| s.rollout.ready_deadline = Period::from_secs(0),
        "rollout.ready_deadline is 0s; allowed are periods above 0s",
    ),
    (
        |s| s.rollout.verify_deadline = Period::from_secs(10),
        "execution.look is 15s; allowed are periods below rollout.verify_deadline",
    ),
    (
        |s| s.rollout.rollback_budget = Period::from_mins(14),
        "rollout.rollback_budget is 14m; allowed are three times rollout.undo_deadline or more",
    ),
    (|s| s.execution.attempts = 0, "execution.attempts is 0; allowed are 1 or more"),
    (
        |s| s.execution.attempt_deadline = Period::from_mins(3),
        "execution.attempt_deadline is 3m; allowed are periods up to rollout.step_deadline and rollout.undo_deadline",
    ),
    (
        |s| s.execution.backoff_limit = Period::from_millis(1),
        "execution.backoff_limit is 1ms; allowed are periods from execution.backoff on",
    ),
    (
        |s| s.source.develop = Some(s.source.production.clone()),
        "source.develop is main; allowed are branches other than source.production",
    ),
    (
        |s| s.source.tag_prefix = "v ".to_owned(),
        "source.tag_prefix is \"v \"; allowed are texts that make a tag name with a version behind them, such as v",
    ),
    (
        |s| s.source.identity.email = "a<b".to_owned(),
        "source.identity.email is \"a<b\"; allowed are one line without < and >",
    ),
    (
        |s| s.environments.staging = Some(s.environments.production.clone()),
        "environments.staging is production; allowed are environments other than environments.production",
    ),
    (
        |s| s.severities.p2.approvals = ApprovalRule::Needed { count: 0 },
        "severities.p2.approvals.count is 0; allowed are 1 or more",
    ),
    (
        |s| s.severities.p0.update_every = Period::from_secs(0),
        "severities.p0.update_every is 0s; allowed are periods above 0s",
    ),
    (
        |s| s.severities.p1.escalate_after.reverse(),
        "severities.p1.escalate_after is [30m, 15m, 5m]; allowed are rising periods",
    ),
    (
        |s| s.severities.p1.acknowledge_within = Period::from_hours(5),
        "severities.p1.acknowledge_within is 5h; allowed are periods up to deploy_within of the same severity",
    ),
    (|s| s.minimal_change.max_files = 0, "minimal_change.max_files is 0; allowed are 1 or more"),
    (|s| s.approvals_last = Period::from_secs(0), "approvals_last is 0s; allowed are periods above 0s"),
];

#[test]
fn every_nonsensical_value_is_refused_with_field_value_and_what_is_allowed() {
    let zero = Period::from_secs(0);
    let rising = "rising percentages from 1 on that end with 100";
    for steps in [vec![], vec![10], vec![0, 100], vec![10, 10, 100], vec![60, 40, 100], vec![100, 101]] {
        let found = faults(|settings| settings.rollout.canary_steps.clone_from(&steps));
        assert_eq!(found, [format!("rollout.canary_steps is {steps:?}; allowed are {rising}")]);
    }
    for (change, expected) in NONSENSE {
        assert_eq!(faults(change), [expected]);
    }
    let all = faults(|settings| {
        settings.rollout.step_deadline = zero;
        settings.rollout.undo_deadline = zero;
        settings.facts_last = zero;
    });
    assert_eq!(all.len(), 4, "every fault is named at once: {all:#?}");
}

#[test]
fn freeze_windows_end_after_they_begin_and_do_not_overlap() {
    let found = faults(|settings| {
        settings.freeze = vec![
            window("2026-12-20T00:00:00Z", "2026-12-27T00:00:00Z"),
            window("2026-12-26T00:00:00Z", "2027-01-02T00:00:00Z"),
            window("2027-02-02T00:00:00Z", "2027-02-01T00:00:00Z"),
        ];
        settings.freeze[0].holds.clear();
    });
    assert_eq!(
        found,
        [
            "freeze[0].holds is empty; allowed are one or more of P0, P1, P2, P3",
            "freeze[1] is 2026-12-26 00:00:00 UTC to 2027-01-02 00:00:00 UTC; \
             allowed are windows that do not overlap an earlier one",
            "freeze[2] is 2027-02-02 00:00:00 UTC to 2027-02-01 00:00:00 UTC; allowed are windows that end after they begin",
        ]
    );
    let window = window("2026-12-20T00:00:00Z", "2026-12-27T00:00:00Z");
    for (moment, held) in [
        ("2026-12-19T23:59:59Z", false),
        ("2026-12-20T00:00:00Z", true),
        ("2026-12-26T23:59:59Z", true),
        ("2026-12-27T00:00:00Z", false),
    ] {
        assert_eq!(window.holds_back(Severity::P3, at(moment)), held, "{moment}");
        assert!(!window.holds_back(Severity::P0, at(moment)));
    }
}

#[test]
fn a_minimal_change_names_every_rule_it_breaks() {
    let changed = |path: &str, lines| ChangedPath { path: path.to_owned(), added: lines, removed: 0 };
    let mut paths: Vec<_> = (0..9).map(|index| changed(&format!("src/{index}.rs"), 1)).collect();
    paths.push(changed("web/package-lock.json", 190));
    let mut diff = DiffSize { paths };
    let rules = &Policy::default().minimal_change;
    let breaches = |diff: &DiffSize| rules.breaches(diff).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(breaches(&diff), ["it changes web/package-lock.json, which package-lock.json forbids"]);
    diff.paths.push(changed("db/migrations/1.sql", 2));
    assert_eq!(
        breaches(&diff),
        [
            "it changes 11 files, 10 are allowed",
            "it changes 201 lines, 200 are allowed",
            "it changes web/package-lock.json, which package-lock.json forbids",
            "it changes db/migrations/1.sql, which migrations/** forbids",
        ]
    );
}
