//! The areas of the project, and where the long proofs and the comparisons of each live.

use crate::command::Run;
use crate::setup::{self, Tool};

/// A part of the project with proofs or comparisons of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Engine,
    Git,
    Store,
    Local,
    Notify,
    Judge,
}

/// What takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Long {
    Prove,
    Compare,
}

impl Area {
    const ALL: [(&'static str, Self); 6] = [
        ("engine", Self::Engine),
        ("git", Self::Git),
        ("store", Self::Store),
        ("local", Self::Local),
        ("notify", Self::Notify),
        ("judge", Self::Judge),
    ];

    pub(crate) fn names() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
    }

    /// Reads the areas named; none named means all.
    pub(crate) fn parse(names: &[&str]) -> Result<Vec<Self>, String> {
        if names.is_empty() {
            return Ok(Self::ALL.map(|(_, area)| area).to_vec());
        }
        let find = |name: &&str| {
            let found = Self::ALL.iter().find(|(known, _)| known == name);
            found.map(|(_, area)| *area).ok_or_else(|| format!("unknown area {name:?}; there are {}", Self::names()))
        };
        names.iter().map(find).collect()
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, area)| *area == self).map_or("", |(name, _)| name)
    }

    const fn tools(self, long: Long) -> &'static [Tool] {
        match (self, long) {
            (Self::Local, Long::Compare) => &[setup::GIT, setup::CC, setup::NGINX, setup::WRK],
            _ => &[setup::GIT, setup::CC],
        }
    }
}

/// Runs the proofs or the comparisons of each area; goes on after a failure and fails at the end.
pub(crate) fn run(long: Long, areas: &[Area]) -> Result<(), String> {
    let mut failed = Vec::new();
    for area in areas {
        let program = match long {
            Long::Prove => "prove",
            Long::Compare => "compare",
        };
        let arguments = ["run", "--release", "--quiet", "-p", "hotfix-proofs", "--bin", program, "--", area.name()];
        let ran = setup::need(area.tools(long)).and_then(|()| Run::cargo(&arguments).go());
        failed.extend(ran.err());
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}
