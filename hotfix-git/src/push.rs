//! Pushing references together or not at all, each with an exact lease on its old value.

use std::collections::BTreeMap;

use git2::Oid;

use crate::error::Error;
use crate::program::Finished;
use crate::redact::redact;
use crate::remote::{Diagnosis, Remote, diagnose};

/// One reference of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PushRef {
    pub(crate) name: String,
    pub(crate) old: Option<Oid>,
    pub(crate) new: Option<Oid>,
}

/// What became of a push.
#[derive(Debug)]
pub(crate) enum Pushed {
    /// Every reference moved.
    Done,
    /// A reference held something else than its lease. None moved.
    Stale,
    /// The server, or git itself, refused a reference. None moved.
    Refused(String),
    /// The remote did not let us in. Nothing was sent.
    Denied(String),
    /// The remote was not reached. Nothing was sent.
    NotReached(String),
    /// The references may have moved.
    Unknown(Error),
}

impl Remote<'_> {
    /// Moves the references on the remote. Never forces, never sends a tag that is not named.
    pub(crate) fn push(&self, refs: &[PushRef]) -> Result<Pushed, Error> {
        let id = |id: Option<Oid>| id.map(|id| id.to_string()).unwrap_or_default();
        let options = ["--atomic", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed"];
        let mut args: Vec<String> = options.map(str::to_owned).to_vec();
        args.extend(refs.iter().map(|step| format!("--force-with-lease={}:{}", step.name, id(step.old))));
        args.extend(["--".to_owned(), self.name.to_owned()]);
        args.extend(refs.iter().map(|step| format!("{}:{}", id(step.new), step.name)));
        match self.git("push", args) {
            Ok(finished) => Ok(judge(&finished, refs)),
            Err(unknown @ (Error::Timeout { .. } | Error::Stopped { .. })) => Ok(Pushed::Unknown(unknown)),
            Err(other) => Err(other),
        }
    }
}

/// What the porcelain output says about one reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status<'o> {
    Moved,
    /// Refused only because another reference of the push was.
    Dragged,
    Stale,
    Refused(&'o str),
    /// The server did not say what became of it.
    Silent,
}

fn judge(finished: &Finished, refs: &[PushRef]) -> Pushed {
    let output = String::from_utf8_lossy(&finished.stdout);
    let said: BTreeMap<&str, Status<'_>> = output.lines().filter_map(read_status).collect();
    let statuses: Vec<_> = refs.iter().map(|step| (step, said.get(step.name.as_str()).copied())).collect();
    if statuses.iter().all(|(_, status)| status.is_none()) {
        return without_status(finished);
    }
    // When every reference only went down with the others, the server found one that had moved under its lock.
    let dragged = statuses.iter().all(|(_, status)| *status == Some(Status::Dragged));
    if dragged || statuses.iter().any(|(_, status)| *status == Some(Status::Stale)) {
        return Pushed::Stale;
    }
    for (step, status) in &statuses {
        if let Some(Status::Refused(reason)) = status {
            return Pushed::Refused(refusal(&step.name, reason, &finished.stderr));
        }
    }
    if finished.status.success() && statuses.iter().all(|(_, status)| *status == Some(Status::Moved)) {
        return Pushed::Done;
    }
    unclear(finished)
}

/// Reads `<flag>\t<from>:<to>\t<summary> (<reason>)`.
fn read_status(line: &str) -> Option<(&str, Status<'_>)> {
    let mut fields = line.splitn(3, '\t');
    let flag = fields.next()?;
    let (_, name) = fields.next()?.rsplit_once(':')?;
    let summary = fields.next()?;
    let status = match flag {
        " " | "+" | "-" | "*" | "=" => Status::Moved,
        "!" => read_refusal(summary),
        _ => return None,
    };
    Some((name, status))
}

/// Server messages that mean a reference was not where the lease said: the server compares too.
const STALE_ON_SERVER: &[&str] = &[
    "stale info",
    "fetch first",
    "already exists",
    "failed to update ref",
    "cannot lock ref",
    "failed to lock",
    "incorrect old value provided",
    "reference already exists",
];

fn read_refusal(summary: &str) -> Status<'_> {
    let reason = summary.split_once('(').map_or(summary, |(_, reason)| reason.trim_end_matches(')'));
    if summary.starts_with("[remote failure]") {
        Status::Silent
    } else if reason.starts_with("atomic push fail") || reason.starts_with("atomic transaction fail") {
        Status::Dragged
    } else if STALE_ON_SERVER.iter().any(|stale| reason.contains(stale)) {
        Status::Stale
    } else {
        Status::Refused(reason)
    }
}

/// Without a line per reference the server never answered: whether it got the request, only the message can tell.
fn without_status(finished: &Finished) -> Pushed {
    let text = redact(&finished.stderr);
    match diagnose(&finished.stderr) {
        Diagnosis::Denied => Pushed::Denied(text),
        Diagnosis::NotReached => Pushed::NotReached(text),
        Diagnosis::Unknown if NEVER_SENT.iter().any(|never| finished.stderr.contains(never)) => {
            Pushed::Refused(text)
        }
        Diagnosis::Unknown => unclear(finished),
    }
}

/// Refusals of git itself, before it sends anything.
const NEVER_SENT: &[&str] =
    &["does not support --atomic push", "--mirror can't be combined", "bad revision", "cannot parse"];

fn unclear(finished: &Finished) -> Pushed {
    Pushed::Unknown(Error::Program { command: "push", text: redact(&finished.stderr) })
}

/// Names the reference, git's reason and what the server said.
fn refusal(name: &str, reason: &str, stderr: &str) -> String {
    let said: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("remote:"))
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect();
    if said.is_empty() {
        return redact(&format!("{name}: {reason}"));
    }
    redact(&format!("{name}: {reason}: {}", said.join(" / ")))
}

#[cfg(test)]
mod tests {
    use super::{Status, read_status};

    #[test]
    fn each_line_of_the_porcelain_output_is_read() {
        let cases = [
            (" \t1234:refs/heads/main\t1234..5678", Status::Moved),
            ("*\t1234:refs/heads/main\t[new branch]", Status::Moved),
            ("-\t:refs/heads/main\t[deleted]", Status::Moved),
            ("=\t1234:refs/heads/main\t[up to date]", Status::Moved),
            ("!\t1234:refs/heads/main\t[rejected] (stale info)", Status::Stale),
            ("!\t1234:refs/heads/main\t[rejected] (atomic push failed)", Status::Dragged),
            ("!\t1234:refs/heads/main\t[remote rejected] (atomic transaction failed)", Status::Dragged),
            ("!\t1234:refs/heads/main\t[remote rejected] (failed to update ref)", Status::Stale),
            (
                "!\t1234:refs/heads/main\t[remote rejected] (pre-receive hook declined)",
                Status::Refused("pre-receive hook declined"),
            ),
            ("!\t1234:refs/heads/main\t[remote failure] (remote failed to report status)", Status::Silent),
        ];
        for (line, status) in cases {
            assert_eq!(read_status(line), Some(("refs/heads/main", status)), "{line}");
        }
        assert_eq!(read_status("To file:///x"), None);
        assert_eq!(read_status("Done"), None);
    }
}
