//! The shape of the house, as a test over its sources.

use std::fs;
use std::path::{Path, PathBuf};

/// The stages, in the order in which they may import each other.
const STAGES: [&str; 9] =
    ["request", "observe", "plan", "execute", "judge", "decide", "communicate", "postmortem", "follow"];

/// What every stage may import besides earlier stages.
const SHARED: [&str; 4] = ["model", "policy", "port", "error"];

/// Words that would make a pure stage depend on when, where or how often it runs.
const IMPURE: [&str; 12] = [
    "async ",
    ".await",
    "SystemTime",
    "Instant::",
    "Utc::now",
    "thread_rng",
    "rand::",
    "Uuid::",
    "std::env",
    "env::var",
    "std::fs",
    "HashMap",
];

/// Functions whose last digit the standard library leaves to the platform.
const INEXACT: [&str; 10] =
    [".ln(", ".log2(", ".log10(", ".ln_1p(", ".exp(", ".exp2(", ".exp_m1(", ".powf(", ".powi(", ".mul_add("];

const LONGEST_FILE: usize = 400;

fn core_sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a readable entry").path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn stage_files(stage: &str) -> Vec<PathBuf> {
    let folder = core_sources().join(stage);
    if folder.is_dir() { rust_files(&folder) } else { vec![core_sources().join(format!("{stage}.rs"))] }
}

/// The lines of code, without comments and without the unit tests at the end of a file.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.map(|(number, line)| (number + 1, line.to_owned())).collect()
}

/// The top-level modules that a line names by `crate::…`.
fn imports(line: &str) -> Vec<String> {
    let name =
        |part: &str| part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    line.split("crate::").skip(1).map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_stage_imports_only_earlier_stages_the_data_and_the_ports() {
    let mut wrong = Vec::new();
    for (index, stage) in STAGES.iter().enumerate() {
        for file in stage_files(stage) {
            for (number, line) in code(&file) {
                for import in imports(&line) {
                    let is_module = import.starts_with(|c: char| c.is_ascii_lowercase());
                    let allowed =
                        SHARED.contains(&import.as_str()) || STAGES[..=index].contains(&import.as_str());
                    if is_module && !allowed {
                        wrong.push(format!("{}:{number}: {stage} imports {import}", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_data_imports_no_stage() {
    let mut wrong = Vec::new();
    for folder in ["model", "port"] {
        for file in stage_files(folder) {
            for (number, line) in code(&file) {
                let stage = imports(&line).into_iter().find(|import| STAGES.contains(&import.as_str()));
                wrong.extend(
                    stage.map(|stage| format!("{}:{number}: {folder} imports {stage}", file.display())),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_stage_is_pure() {
    let mut wrong = Vec::new();
    for stage in STAGES.iter().chain(&["model", "policy"]) {
        for file in stage_files(stage) {
            for (number, line) in code(&file) {
                let word = IMPURE.iter().find(|word| line.contains(**word));
                wrong.extend(word.map(|word| format!("{}:{number}: {word:?}", file.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Who takes a rollout over on another machine replays its samples, and must come to the same evidence.
#[test]
fn the_judge_has_the_same_digits_everywhere() {
    let mut wrong = Vec::new();
    for stage in ["judge", "decide", "model/judge_settings"] {
        for file in stage_files(stage) {
            for (number, line) in code(&file) {
                let word = INEXACT.iter().find(|word| line.contains(**word));
                wrong.extend(
                    word.map(|word| format!("{}:{number}: {word:?}; take it from `libm`", file.display())),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_holds_more_than_one_idea_needs() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace");
    let mut long = Vec::new();
    for file in rust_files(workspace) {
        let lines = fs::read_to_string(&file).expect("a readable source").lines().count();
        if lines > LONGEST_FILE {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "longer than {LONGEST_FILE} lines:\n{}", long.join("\n"));
}

#[test]
fn the_checks_themselves_can_fail() {
    assert_eq!(imports("use crate::plan::{Plan};"), ["plan"]);
    assert_eq!(imports("fn f() -> crate::judge::Judge"), ["judge"]);
    assert!(STAGES.iter().all(|stage| !stage_files(stage).is_empty()));
}
