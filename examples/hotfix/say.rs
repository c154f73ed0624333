//! What people read: the standard output tells what happens, the standard error what went wrong.

use std::io::{IsTerminal as _, Write as _};

/// Prints one line. A reader that went away is no reason to stop driving a run.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Says why the program ends.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "hotfix: {text}");
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    /// There is nobody to ask.
    Nobody,
}

/// Asks whether to go on.
pub(crate) async fn ask(question: &str) -> std::io::Result<Answer> {
    if !std::io::stdin().is_terminal() {
        return Ok(Answer::Nobody);
    }
    {
        let mut out = std::io::stdout().lock();
        write!(out, "{question} [y/N] ")?;
        out.flush()?;
    }
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = read.await.map_err(std::io::Error::other)??;
    Ok(if matches!(answer.trim(), "y" | "Y" | "yes") { Answer::Yes } else { Answer::No })
}
