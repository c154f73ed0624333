//! The judges from end to end: the built example, cases in, answers out.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use hotfix_core::model::{JudgeSettings, Pace};
use serde_json::{Value, json};

/// What the program left.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(std::path::Path::parent).unwrap().join("examples");
    let program = folder.join("judge_only");
    assert!(
        program.exists(),
        "{} is missing; run `cargo build -p hotfix-examples --examples`",
        program.display()
    );
    program
}

#[expect(clippy::disallowed_methods, reason = "the example under test is a program")]
fn run(arguments: &[&str], input: &str) -> Done {
    let mut command = Command::new(program());
    let piped = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A program that needs no input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn judged(case: &Value) -> Value {
    let done = run(&[], &case.to_string());
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{case}");
    serde_json::from_str(&done.out).unwrap()
}

fn refused(case: &Value) -> String {
    let done = run(&[], &case.to_string());
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{case}");
    done.err.strip_prefix("judge_only: ").unwrap().trim_end().to_owned()
}

fn decisions(answer: &Value) -> Vec<&str> {
    answer["scrapes"].as_array().unwrap().iter().map(|scrape| scrape["decision"].as_str().unwrap()).collect()
}

#[test]
fn an_outage_rolls_back_in_two_scrapes() {
    let outage = json!({ "nc": 75, "ec": 75, "nb": 675, "eb": 1 });
    let answer = judged(&json!({ "kind": "sequential", "scrapes": [outage, outage] }));
    assert_eq!(decisions(&answer), ["hold", "roll_back"]);
    assert_eq!(answer["text"], answer["scrapes"][1]["text"]);
    let text = answer["text"].as_str().unwrap();
    assert!(
        text.starts_with("roll back: canary 150 errors in 150 requests against 2 in 1350 (evidence "),
        "{text}"
    );
    let expected = json!({
        "kind": "sequential", "decision": "roll_back", "rollback_at": 1, "phi": 1.0, "text": text,
        "steps": [{ "first_scrape": 0, "weight": 10, "decision": "roll_back", "decided_at": 1, "text": text }],
        "scrapes": answer["scrapes"],
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_healthy_ladder_is_promoted_step_by_step() {
    let step = |nc: u64, begins: bool| {
        let scrape = move |index| {
            json!({
                "nc": nc, "ec": 0, "nb": 1000 - nc, "eb": 5, "first_of_step": begins && index == 0
            })
        };
        (0..8).map(scrape)
    };
    let scrapes: Vec<_> = step(100, false).chain(step(500, true)).collect();
    let answer = judged(&json!({ "kind": "sequential", "later_steps": 1, "scrapes": scrapes }));
    assert_eq!((&answer["decision"], &answer["rollback_at"]), (&json!("promote"), &json!(null)));
    let steps = answer["steps"].as_array().unwrap();
    let begun: Vec<_> = steps.iter().map(|step| [&step["first_scrape"], &step["weight"]]).collect();
    assert_eq!(begun, [[0, 10], [8, 50]]);
    assert!(steps.iter().all(|step| step["decision"] == "promote"), "{steps:?}");
}

#[test]
fn slow_answers_roll_back_without_a_single_error() {
    let slow = json!({ "nc": 75, "ec": 0, "nb": 675, "eb": 0, "slow": { "250ms": [30, 34], "1s": [12, 7] } });
    let case =
        |tails: Value| json!({ "kind": "sequential", "tails": tails, "scrapes": [slow, slow, slow, slow] });
    let answer = judged(&case(json!([{ "over": "250ms" }, { "over": "1s", "phi": 1.5 }])));
    assert_eq!(answer["decision"], "roll_back");
    let text = answer["text"].as_str().unwrap();
    let seen = "roll back: canary 0 errors in 150 requests against 0 in 1350, 60 of 150 over 250ms against 68 of 1350 (";
    assert!(text.starts_with(seen), "{text}");
    // Without bounds chosen before the rollout nothing is compared.
    assert_ne!(judged(&case(json!([])))["decision"], "roll_back");
}

#[test]
fn a_threshold_rolls_back_beside_the_judge() {
    let scrape = json!({ "nc": 75, "ec": 5, "nb": 675, "eb": 45 });
    let case =
        |thresholds: Value| json!({ "kind": "sequential", "thresholds": thresholds, "scrapes": [scrape] });
    let answer = judged(&case(json!(["error rate over 5.0 % within 10 minutes"])));
    assert_eq!(answer["decision"], "roll_back");
    assert!(answer["text"].as_str().unwrap().contains("5 %"), "{answer}");
    assert_eq!(judged(&case(json!([])))["decision"], "hold");
}

#[test]
fn what_is_missing_is_neither_health_nor_harm() {
    let blind = json!({ "missing": "connection refused" });
    let answer = judged(&json!({ "kind": "sequential", "scrapes": vec![blind; 12] }));
    assert_eq!((&answer["decision"], &answer["steps"][0]["decided_at"]), (&json!("freeze"), &json!(11)));
    assert_eq!(answer["scrapes"][0]["statistics"], answer["scrapes"][11]["statistics"]);
    let quiet = json!({ "nb": 675, "eb": 1, "weight": 10 });
    let quiet_again = json!({ "nb": 675, "eb": 1 });
    let answer = judged(&json!({ "kind": "sequential", "scrapes": [quiet, quiet_again] }));
    assert_eq!(answer["steps"][0]["weight"], 10);
    assert_ne!(answer["decision"], "promote");
    let alone = judged(&json!({ "kind": "sequential", "scrapes": [{ "nc": 750, "ec": 1 }] }));
    assert_eq!(alone["steps"][0]["weight"], 100);
}

#[test]
fn a_step_that_begins_blind_or_without_traffic_keeps_its_baseline() {
    let harmful = json!({ "nc": 75, "ec": 9, "nb": 675, "eb": 1 });
    for first in [json!({ "missing": "refused" }), json!({ "nc": 0, "ec": 0, "nb": 0, "eb": 0 })] {
        let answer = judged(&json!({ "kind": "sequential", "scrapes": [first, harmful, harmful] }));
        assert_eq!(answer["steps"][0]["weight"], 10, "{first}");
        assert_eq!(
            (&answer["decision"], &answer["rollback_at"]),
            (&json!("roll_back"), &json!(2)),
            "{first}"
        );
        assert!(answer["text"].as_str().unwrap().contains(" against 2 in 1350 "), "{answer}");
    }
}

#[test]
fn statistics_are_those_of_the_reference() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../hotfix-core/tests/judge/vectors.json")).unwrap();
    let columns = [
        ("log_count", "log_e_count"),
        ("log_share", "log_e_share"),
        ("log_errors", "log_e"),
        ("log_proof_relative", "log_f_rbad3"),
        ("log_proof_absolute", "log_q_below1pct"),
        ("log_efficacy", "log_g_efficacy"),
    ];
    for sequence in vectors["sequences"].as_array().unwrap() {
        let (params, rows) = (&sequence["params"], sequence["rows"].as_array().unwrap());
        let part = |row: &Value| {
            let names = ["nc", "ec", "nb", "eb", "first_of_step"];
            names.into_iter().map(|name| (name.to_owned(), row[name].clone())).collect::<Value>()
        };
        let answer = judged(&json!({
            "kind": "sequential", "profile": "fast", "phi": params["phi"], "later_steps": params["later_steps"],
            "settings": {
                "alpha": params["alpha"], "tolerated_ratio": params["r0"], "planned_scrapes": params["horizon"],
            },
            "scrapes": rows.iter().map(part).collect::<Vec<_>>(),
        }));
        for (index, row) in rows.iter().enumerate() {
            for (ours, theirs) in columns {
                let found = answer["scrapes"][index]["statistics"][ours].as_f64().unwrap();
                let expected = row[theirs].as_f64().unwrap();
                let at = format!("{}, scrape {index}: {ours} is {found}", sequence["name"]);
                assert!((found - expected).abs() < 1e-9, "{at} instead of {expected}");
            }
        }
    }
}

#[test]
fn bursts_before_the_rollout_are_measured_or_given() {
    let scrape = json!({ "nc": 75, "ec": 9, "nb": 675, "eb": 9 });
    let before = [0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 0, 0];
    let phi = 9.818_181_818_181_818;
    let measured = judged(&json!({ "kind": "sequential", "errors_before": before, "scrapes": [scrape] }));
    assert_eq!(measured["phi"], phi);
    assert_eq!(judged(&json!({ "kind": "sequential", "phi": phi, "scrapes": [scrape] })), measured);
}

#[test]
fn the_kayenta_case_beside_the_example_has_the_answer_beside_it() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/judge_only/kayenta.json");
    let done = run(&[file], "");
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(done.out, include_str!("kayenta_answer.json"));
    assert_eq!(run(&["-"], include_str!("../judge_only/kayenta.json")).out, done.out);
}

#[test]
fn pairs_give_what_the_sides_give() {
    let (config, thresholds) =
        (json!({ "metrics": [{ "name": "a", "groups": ["g"] }] }), json!({ "pass": 75, "marginal": 50 }));
    let (low, high) = (json!([1, 2, 3, 4, 5, null]), json!([11, 12, 13, 14, 15, "NaN"]));
    let set = |values: &Value| json!([{ "name": "a", "values": values }]);
    let pairs = judged(&json!({
        "kind": "kayenta", "canaryConfig": config, "scoreThresholds": thresholds,
        "metricSetPairList": [{ "name": "a", "values": { "control": low, "experiment": high } }],
    }));
    assert_eq!(pairs["score"], json!({ "score": 0.0, "classification": "Fail", "classificationReason": "" }));
    assert_eq!(pairs["results"][0]["classification"], "High");
    let sides = judged(&json!({
        "kind": "kayenta", "canaryConfig": config, "scoreThresholds": thresholds,
        "control": set(&low), "experiment": set(&high),
    }));
    assert_eq!(sides, pairs);
}

#[test]
fn mistakes_are_named_by_their_field() {
    let sequential = |extra: Value| {
        let mut case = json!({ "kind": "sequential", "scrapes": [] });
        case.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        case
    };
    let scrape =
        |scrape: Value| sequential(json!({ "scrapes": [{ "nc": 9, "ec": 0, "nb": 9, "eb": 0 }, scrape] }));
    let kayenta = |config: Value, extra: Value| {
        let mut case = json!({ "kind": "kayenta", "canaryConfig": config });
        case.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        case
    };
    let (bare, thresholds) = (json!({ "metrics": [{ "name": "a" }] }), json!({ "pass": 75, "marginal": 50 }));
    for (case, expected) in [
        (json!(3), "kind is null; allowed are \"sequential\" and \"kayenta\""),
        (json!({ "kind": "acme" }), "kind is \"acme\"; allowed are \"sequential\" and \"kayenta\""),
        (json!({ "kind": "sequential" }), "the case: missing field `scrapes`"),
        (scrape(json!({ "nc": "1" })), "scrapes[1].nc: invalid type: string \"1\", expected u64"),
        (
            scrape(json!({ "nc": 1, "ec": 2, "nb": 1, "eb": 0 })),
            "scrapes[1].ec: invalid error count \"2\": allowed are 0 to 1, the number of requests",
        ),
        (scrape(json!({ "nc": 1, "nb": 1, "eb": 0 })), "scrapes[1]: give both nc and ec, or neither"),
        (
            scrape(json!({ "nc": 1, "ec": 0, "missing": "x" })),
            "scrapes[1].missing: a scrape that is missing has no counts",
        ),
        (
            scrape(json!({ "nc": 1, "ec": 0, "weight": 50 })),
            "scrapes[1].weight: a weight belongs to the first scrape of a step; add \"first_of_step\": true",
        ),
        (
            scrape(json!({ "weight": 0 })),
            "scrapes[1].weight: invalid canary weight \"0\": allowed are 1 to 100 percent",
        ),
        (
            sequential(json!({ "settings": { "alpha": "x" } })),
            "settings.alpha: invalid type: string \"x\", expected f64",
        ),
        (
            sequential(json!({ "settings": { "alpha": 2 } })),
            "settings.alpha: invalid alpha \"2\": allowed are numbers from 0.000000001 to 0.5",
        ),
        (sequential(json!({ "phi": 1, "errors_before": [] })), "phi: give either phi or errors_before"),
        (
            sequential(json!({ "profile": "slow" })),
            "profile: invalid profile \"slow\": allowed are standard and fast",
        ),
        (
            kayenta(bare.clone(), json!({})),
            "scoreThresholds are missing; give `pass` and `marginal`, for instance 75 and 50",
        ),
        (
            kayenta(bare.clone(), json!({ "scoreThresholds": thresholds })),
            "the case: give either metricSetPairList, or both control and experiment",
        ),
        (
            kayenta(json!({ "metrics": [{ "name": "a", "groups": "g" }] }), json!({})),
            "canaryConfig.metrics[0].groups: invalid type: string \"g\", expected a sequence",
        ),
        (
            kayenta(bare, json!({ "scoreThresholds": thresholds, "control": [], "experiment": [] })),
            "there is no control metric set of metric \"a\"; one without values says that there are none",
        ),
    ] {
        assert_eq!(refused(&case), expected);
    }
    let cut = run(&[], "{\"kind\"");
    assert_eq!(cut.err, "judge_only: the case is no JSON: EOF while parsing an object at line 1 column 7\n");
    let nowhere = run(&["nowhere.json"], "");
    assert_eq!(nowhere.err, "judge_only: nowhere.json: No such file or directory (os error 2)\n");
}

#[test]
fn the_help_names_everything_that_can_be_set() {
    let help = run(&["--help"], "").out;
    let words: Vec<&str> = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    // What is left out of a file is what it is by default.
    let judge = JudgeSettings {
        latency_ratio: 2.0,
        log_cap: Some(3.0),
        floor: Some(0.001),
        ..JudgeSettings::standard()
    };
    for settings in [json!(judge), json!(judge.weights), json!(Pace::default())] {
        for name in settings.as_object().unwrap().keys() {
            assert!(words.contains(&name.as_str()), "{name} is not in\n{help}");
        }
    }
}

#[test]
fn without_a_case_there_is_help() {
    let (none, help) = (run(&[], " \n"), run(&["--help"], ""));
    assert_eq!((none.code, help.code), (Some(2), Some(0)));
    assert_eq!(none.out, help.out);
    assert!(help.out.contains("\n\"kind\": \"sequential\" - "), "{}", help.out);
    let examples: Vec<&str> = help.out.split("  {\"kind\"").skip(1).collect();
    assert_eq!(examples.len(), 2, "{}", help.out);
    for example in examples {
        let (example, _) = example.split_once("\n\n").unwrap();
        judged(&serde_json::from_str(&format!("{{\"kind\"{example}")).unwrap());
    }
}
