//! The messages of commits and tags: a subject, what is broken, and trailers that programs read.

use std::fmt::Write;

use crate::model::{RefName, TagName};
use crate::request::Request;

const SUBJECT_MAX: usize = 72;
const TEXT_MAX: usize = 500;

/// The message of a merge of the hotfix into a branch.
pub(super) fn merge(request: &Request, branch: &RefName, into: &RefName) -> String {
    message(request, &format!("Merge {} into {}", branch.short(), into.short()))
}

/// The message of the tag of a release candidate.
pub(super) fn candidate(request: &Request, tag: &TagName) -> String {
    message(request, &format!("{tag}: release candidate of a hotfix"))
}

/// The message of the tag of the release.
pub(super) fn release(request: &Request, tag: &TagName) -> String {
    message(request, &format!("{tag}: hotfix"))
}

fn message(request: &Request, subject: &str) -> String {
    let mut text: String = subject.chars().take(SUBJECT_MAX).collect();
    let title = one_line(&request.title);
    if !title.is_empty() {
        let _ = write!(text, "\n\n{title}");
    }
    text.push_str("\n\n");
    for (name, value) in trailers(request) {
        let _ = writeln!(text, "{name}: {value}");
    }
    text
}

fn trailers(request: &Request) -> Vec<(&'static str, String)> {
    let mut trailers = vec![
        ("Resolves", request.issue.to_string()),
        ("Severity", request.severity.to_string()),
        ("Ticket", request.issue.to_string()),
    ];
    let mut person = |name, who: &str| {
        let who = one_line(who);
        if !who.is_empty() {
            trailers.push((name, who));
        }
    };
    person("Requested-by", &request.requested_by);
    for approval in &request.approvals {
        person("Approved-by", &approval.by);
    }
    if let Some(reason) = &request.break_glass {
        person("Break-glass", reason);
    }
    trailers
}

/// Text from outside on one line, so that it cannot pass for a trailer of its own.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(TEXT_MAX).collect()
}
