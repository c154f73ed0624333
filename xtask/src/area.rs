//! The areas of the project, and where the long proofs and the comparisons of each live.

use crate::cluster::{self, Cluster};
use crate::command::{Run, say};
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
    Metrics,
    Kubernetes,
}

/// What takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Long {
    Prove,
    Compare,
}

impl Area {
    const ALL: [(&'static str, Self); 8] = [
        ("engine", Self::Engine),
        ("git", Self::Git),
        ("store", Self::Store),
        ("local", Self::Local),
        ("notify", Self::Notify),
        ("judge", Self::Judge),
        ("metrics", Self::Metrics),
        ("k8s", Self::Kubernetes),
    ];

    pub(crate) fn names() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, area)| *area == self).map_or("", |(name, _)| name)
    }

    /// The crate whose suite is the proof of the area, or a part of it.
    const fn suite(self) -> Option<&'static str> {
        match self {
            Self::Engine | Self::Judge => None,
            Self::Git => Some("hotfix-git"),
            Self::Store => Some("hotfix-store"),
            Self::Local => Some("hotfix-local"),
            Self::Notify => Some("hotfix-notify"),
            Self::Metrics => Some("hotfix-metrics"),
            Self::Kubernetes => Some("hotfix-k8s"),
        }
    }

    /// Whether `prove` has a part for the area, which kills what no suite should have to wait for.
    const fn is_proven_by_program(self) -> bool {
        matches!(self, Self::Engine | Self::Judge | Self::Kubernetes)
    }

    const fn tools(self, long: Long) -> &'static [Tool] {
        match (self, long) {
            (Self::Judge, Long::Compare) => &[setup::GIT, setup::CC, setup::PYTHON],
            (Self::Local, Long::Compare) => &[setup::GIT, setup::CC, setup::NGINX, setup::WRK],
            (Self::Kubernetes, Long::Compare) => &[setup::GIT, setup::CC, setup::PROMETHEUS],
            (Self::Metrics, Long::Prove) => &[setup::CC, setup::PROMETHEUS, setup::ALERTMANAGER],
            _ => &[setup::GIT, setup::CC],
        }
    }

    /// Makes sure of the programs of a control plane where the area runs one, in the profile of what runs it.
    fn control_plane(self) -> Result<(), String> {
        if self != Self::Kubernetes {
            return Ok(());
        }
        match cluster::get_released()? {
            Cluster::There => Ok(()),
            Cluster::Missing(why) => Err(why),
        }
    }
}

/// An area as it was named.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    area: Area,
    /// The area, and for a comparison maybe a part of it, as in `k8s/undo`.
    word: String,
}

impl Named {
    /// Reads the areas named; none named means all.
    pub(crate) fn parse(long: Long, words: &[&str]) -> Result<Vec<Self>, String> {
        if words.is_empty() {
            return Ok(Area::ALL.map(|(name, area)| Self { area, word: name.to_owned() }).to_vec());
        }
        let find = |word: &&str| {
            let name = match (long, word.split_once('/')) {
                (Long::Compare, Some((name, _))) => name,
                _ => word,
            };
            let found = Area::ALL.iter().find(|(known, _)| *known == name);
            found
                .map(|(_, area)| Self { area: *area, word: (*word).to_owned() })
                .ok_or_else(|| format!("unknown area {word:?}; there are {}", Area::names()))
        };
        words.iter().map(find).collect()
    }
}

/// Runs the proofs or the comparisons of each area; goes on after a failure and fails at the end.
pub(crate) fn run(long: Long, named: &[Named]) -> Result<(), String> {
    let mut failed = Vec::new();
    for Named { area, word } in named {
        let ready = setup::need(area.tools(long)).and_then(|()| area.control_plane());
        let ran = ready.and_then(|()| match long {
            Long::Prove => prove(*area),
            Long::Compare => compare(*area, word),
        });
        failed.extend(ran.err());
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

fn program(name: &str, word: &str) -> Run {
    Run::cargo(&["run", "--release", "--quiet", "-p", "hotfix-proofs", "--bin", name, "--", word])
}

fn compare(area: Area, word: &str) -> Result<(), String> {
    let program = program("compare", word);
    match area {
        Area::Judge => program.env(setup::SCIPY_PYTHON, &setup::scipy()?).go(),
        _ => program.go(),
    }
}

fn prove(area: Area) -> Result<(), String> {
    let by_suite = area.suite().map_or(Ok(()), |suite| prove_by_suite(area, suite));
    let by_program = if area.is_proven_by_program() { program("prove", area.name()).go() } else { Ok(()) };
    by_suite.and(by_program)
}

/// Runs the suite of a crate, with real peers and killed processes in it, on many more random cases than a contributor
/// would wait for.
fn prove_by_suite(area: Area, package: &str) -> Result<(), String> {
    let suite =
        Run::cargo(&["test", "--release", "--quiet", "--no-fail-fast", "--all-features", "-p", package]);
    let output = suite.env("PROPTEST_CASES", CASES).output()?;
    let count = |name: &str| -> u64 {
        let results = output.text.lines().filter(|line| line.starts_with("test result:"));
        let parts = results.flat_map(|line| line.split([';', '.']));
        parts.filter_map(|part| part.trim().strip_suffix(name)?.trim().parse::<u64>().ok()).sum()
    };
    let (passed, failed) = (count("passed"), count("failed"));
    if !output.succeeded || failed > 0 {
        say(&output.text);
    }
    let failed = failed.max(u64::from(!output.succeeded));
    say(&format!(
        "prove {}: checks={} failed={failed} cases_per_property={CASES}",
        area.name(),
        passed + failed
    ));
    if failed == 0 { Ok(()) } else { Err(format!("prove {} failed", area.name())) }
}

/// Random cases of each property in a long proof.
const CASES: &str = "2000";
