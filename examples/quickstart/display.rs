//! What the person at the terminal sees, or the program that asked for JSON.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use hotfix::communicate::{Progress, ProgressKind};
use hotfix::plan::Plan;
use serde::Serialize;

use crate::home::Home;
use crate::traffic::{Served, Traffic};

/// How the example shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Display {
    /// One JSON object per part and one that sums up.
    Json,
    /// Lines, and below them one that changes in place.
    Terminal,
    /// Lines.
    Plain,
}

/// How a part ended.
#[derive(Debug, Serialize)]
pub(crate) struct PartReport<'a> {
    pub(crate) part: &'a str,
    pub(crate) outcome: &'a str,
    pub(crate) because: String,
    pub(crate) run: String,
    #[serde(flatten)]
    pub(crate) requests: Served,
    pub(crate) seconds: f64,
    pub(crate) postmortem: &'a Path,
}

/// How everything ended.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) killed: &'static str,
    pub(crate) failed_requests_by_shift: u64,
    pub(crate) double_applies: usize,
}

#[expect(clippy::print_stdout, reason = "this is what the example is for")]
fn line(text: &str) {
    println!("{text}");
}

/// Says what went wrong with the example itself.
#[expect(clippy::print_stderr, reason = "this is what the example is for")]
pub(crate) fn complain(error: &dyn std::error::Error) {
    eprintln!("quickstart: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}

impl Display {
    pub(crate) fn new(json: bool) -> Self {
        match json {
            true => Self::Json,
            false if std::io::stdout().is_terminal() => Self::Terminal,
            false => Self::Plain,
        }
    }

    pub(crate) fn say(self, text: &str) {
        if self != Self::Json {
            self.clear();
            line(text);
        }
    }

    pub(crate) fn headline(self, text: &str) {
        self.say(&format!("\n=== {text}\n"));
    }

    pub(crate) fn plan(self, plan: &Plan) {
        self.say(&plan.to_string());
    }

    /// Shows one thing that happened. Looks at the metrics only move the line at the bottom.
    pub(crate) fn progress(self, progress: &Progress, traffic: &Traffic) {
        if !matches!(progress.kind, ProgressKind::Looked { .. }) {
            self.say(&format!("  {progress}"));
        }
        let (served, failed) = traffic.so_far();
        if self == Self::Terminal {
            let now = match &progress.kind {
                ProgressKind::Looked { .. } => progress.kind.to_string(),
                _ => String::new(),
            };
            self.print(&format!("  … {served} requests served, {failed} failed  {now}"));
        }
    }

    pub(crate) fn part(self, report: &PartReport<'_>) {
        if self == Self::Json {
            return self.json(report);
        }
        let Served { served, failed_by_release, failed_by_shift } = report.requests;
        self.say(&format!("\n  {}: {}", report.outcome, report.because));
        self.say(&format!(
            "  {served} requests served, {failed_by_release} failed by the release itself, \
             {failed_by_shift} by a shift, in {:.1} s",
            report.seconds
        ));
        self.say(&format!("  postmortem: {}", report.postmortem.display()));
    }

    pub(crate) fn summary(self, summary: &Summary, home: &Home) {
        if self == Self::Json {
            return self.json(summary);
        }
        self.headline("Summary");
        self.say(&format!(
            "  bad fix {}, good fix {}, killed fix {}\n  {} requests failed because of a shift, {} effects applied \
             twice\n  journal: {}\n  messages to people: {}",
            summary.bad,
            summary.good,
            summary.killed,
            summary.failed_requests_by_shift,
            summary.double_applies,
            home.journal().display(),
            home.messages().display()
        ));
    }

    fn json(self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => line(&text),
            Err(error) => complain(&error),
        }
    }

    fn clear(self) {
        if self == Self::Terminal {
            self.print("");
        }
    }

    /// Replaces the line at the bottom.
    fn print(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let shown: String = text.chars().take(110).collect();
        // A terminal that is gone needs no progress.
        let _ = write!(out, "\r\x1b[2K{shown}").and_then(|()| out.flush());
    }
}
