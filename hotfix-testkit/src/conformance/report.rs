//! Which cases were kept, skipped or broken.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// How long a single case may take before it counts as hanging.
const CASE_LIMIT: Duration = Duration::from_secs(120);

/// What a case ends in.
pub type Outcome = Result<(), Unmet>;

/// Why a case was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// The backend broke the contract.
    Broken {
        /// What was expected and what was found.
        finding: String,
    },
    /// The backend does not offer what the case is about.
    NotOffered {
        /// What is not offered.
        what: &'static str,
    },
}

/// The result of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The port.
    pub port: &'static str,
    /// The cases in the order of running.
    pub cases: Vec<CaseReport>,
}

/// The result of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseReport {
    /// Its name: group and function.
    pub name: &'static str,
    /// What came out.
    pub result: CaseResult,
}

/// What came out of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseResult {
    /// The backend keeps this part of the contract.
    Kept,
    /// The backend does not offer what the case is about.
    Skipped(&'static str),
    /// It does not; the text says what was expected and what was found.
    Broken(String),
}

impl Report {
    pub(super) const fn new(port: &'static str) -> Self {
        Self { port, cases: Vec::new() }
    }

    pub(super) async fn run(&mut self, name: &'static str, case: impl Future<Output = Outcome>) {
        let result = match tokio::time::timeout(CASE_LIMIT, caught(case)).await {
            Ok(Ok(Ok(()))) => CaseResult::Kept,
            Ok(Ok(Err(Unmet::NotOffered { what }))) => CaseResult::Skipped(what),
            Ok(Ok(Err(Unmet::Broken { finding }))) => CaseResult::Broken(finding),
            Ok(Err(panic)) => CaseResult::Broken(format!("it panicked: {panic}")),
            Err(_) => CaseResult::Broken(format!("it did not end within {CASE_LIMIT:?}")),
        };
        self.cases.push(CaseReport { name, result });
    }

    /// Returns the names of the broken cases, in order.
    #[must_use]
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = |case: &&CaseReport| matches!(case.result, CaseResult::Broken(_));
        self.cases.iter().filter(broken).map(|case| case.name).collect()
    }

    /// Returns the names of the skipped cases, in order.
    #[must_use]
    pub fn skipped(&self) -> Vec<&'static str> {
        let skipped = |case: &&CaseReport| matches!(case.result, CaseResult::Skipped(_));
        self.cases.iter().filter(skipped).map(|case| case.name).collect()
    }

    /// Passes when no case is broken.
    ///
    /// # Panics
    /// Otherwise; the message names each broken case with what was expected and what was found.
    pub fn assert_kept(&self) {
        assert!(self.broken().is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (broken, skipped) = (self.broken().len(), self.skipped().len());
        let (port, cases) = (self.port, self.cases.len());
        write!(f, "{port}: {cases} cases, {broken} broken, {skipped} skipped")?;
        for case in &self.cases {
            match &case.result {
                CaseResult::Kept => {}
                CaseResult::Skipped(what) => write!(f, "\n  skipped {}: {what} is not offered", case.name)?,
                CaseResult::Broken(finding) => write!(f, "\n  BROKEN {}: {finding}", case.name)?,
            }
        }
        Ok(())
    }
}

/// Drives a future and turns a panic into its message, so that one broken case does not hide the others.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(message_of(panic.as_ref()))),
    })
    .await
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hanging_and_a_panicking_case_are_named_and_the_rest_is_run() {
        let mut report = Report::new("port");
        report.run("hangs", std::future::pending()).await;
        report.run("panics", async { panic!("oh {}", "no") }).await;
        report.run("not offered", async { Err(Unmet::NotOffered { what: "time travel" }) }).await;
        report.run("fine", async { Ok(()) }).await;
        assert_eq!(report.broken(), ["hangs", "panics"]);
        assert_eq!(
            report.to_string(),
            "port: 4 cases, 2 broken, 1 skipped\n  BROKEN hangs: it did not end within 120s\n  BROKEN panics: \
             it panicked: oh no\n  skipped not offered: time travel is not offered"
        );
    }
}
