//! Side by side with peers: each area measures its cases and the peers' in one command, in turns.

mod case;
mod clock;
mod engine;
mod git;
mod judge;
mod k8s;
mod kayenta;
mod local;
mod memory;
mod metrics;
pub mod part;
mod store;

use hotfix_benches::Failure;

use crate::say;
use case::Case;

/// What `compare --help` says.
pub const HELP: &str = "\
compare [AREA]...    areas: engine, git, store, local, notify, judge, metrics, k8s; none named means all. Of k8s one
                     part can be named: k8s/start, k8s/undo, k8s/abort, k8s/crash, k8s/errors, k8s/watches, k8s/fleet

Prints one line a case:

  compare AREA CASE: ours=VALUE peer=VALUE ratio=R goal=GOAL met|missed

R is how many times better ours is than the peer: the peer's time divided by ours, or our rate divided by the peer's.
Above 1 ours is better, 0.5 is half as good. `-` stands where there is no peer. Values are medians over rounds in which
ours and the peer take turns. A goal such as >=4x is about R, one such as <=16KiB about ours, and <=peer+50ms about
the difference; with the goal - a case is told beside the others.

The area judge simulates most of its cases, the same each time; numbers in brackets are limits with 99 % confidence.

The area k8s starts a control plane: etcd, kube-apiserver, kube-controller-manager and kubectl come from the folder that
KUBEBUILDER_ASSETS names or from the cache of `hotfix-test-cluster build`, kubectl otherwise from PATH. Argo Rollouts is
built the first time, which takes Go and some minutes. The part errors runs the program prometheus, and the parts errors
and fleet take some minutes each.

HOTFIX_GIT_PEER names another git program than the one in PATH for the area git, HOTFIX_SCIPY_PYTHON a Python that has
scipy for the area judge.

Fails when something could not be measured or gave a wrong result. A missed goal is no failure.";

const AREAS: [&str; 8] = ["engine", "git", "store", "local", "notify", "judge", "metrics", "k8s"];

/// Measures the areas named, or all. Goes on after a failure.
///
/// # Errors
/// [`Failure`] naming every area that could not be measured.
pub fn run(areas: &[&str]) -> Result<(), Failure> {
    if let Some(unknown) = areas.iter().find(|area| !AREAS.contains(&apart(area).0)) {
        return Err(Failure::new(format!("unknown area {unknown:?}; there are {}", AREAS.join(", "))));
    }
    let areas = if areas.is_empty() { &AREAS } else { areas };
    let failed: Vec<String> = areas
        .iter()
        .filter_map(|area| measure(area).err().map(|failure| format!("{area}: {failure}")))
        .collect();
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(failed.join("\n"))) }
}

/// Takes an area and its part apart.
fn apart(named: &str) -> (&str, Option<&str>) {
    named.split_once('/').map_or((named, None), |(area, part)| (area, Some(part)))
}

fn measure(named: &str) -> Result<(), Failure> {
    let (area, part) = apart(named);
    if let Some(part) = part.filter(|_| area != "k8s") {
        return Err(Failure::new(format!("no part {part:?}: only k8s has parts")));
    }
    let print = |case: Case| say(&format!("compare {area} {case}"));
    match area {
        "engine" => engine::measure(print),
        "git" => git::measure(print),
        "store" => store::measure(print),
        "local" => local::measure(print),
        "judge" => judge::measure(|line| say(&format!("compare judge {line}"))),
        "metrics" => metrics::measure(print),
        "k8s" => k8s::measure(part, print),
        _ => {
            say(&format!("compare {area}: no case"));
            Ok(())
        }
    }
}
