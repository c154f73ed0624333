//! The Kubernetes control plane that tests run: looked for, and built when it is not there.

use crate::command::{Run, in_ci, released, sibling};
use crate::setup;

/// Whether tests can have a cluster.
#[derive(Debug)]
pub(crate) enum Cluster {
    There,
    /// With the sentence that says how to get it.
    Missing(String),
}

/// What the tests that need a cluster have in their names.
pub(crate) const TESTS: &str = "cluster::";

/// What the names of the examples that need a cluster begin with.
pub(crate) const EXAMPLES: &str = "k8s_";

/// The program that knows how to build a control plane.
const PROGRAM: &str = "hotfix-test-cluster";

/// Makes sure that tests can have a cluster. The program that knows how is built with the tests. In CI nothing may be
/// missing.
pub(crate) fn get() -> Result<Cluster, String> {
    get_by(&sibling(PROGRAM)?)
}

/// The same where what needs a cluster is built with optimizations, and with it the programs of the nodes.
pub(crate) fn get_released() -> Result<Cluster, String> {
    let package = ["-p", "hotfix-testkit", "--features", "cluster", "--bins"];
    Run::cargo(&[&["build", "--release", "--quiet"], &package[..]].concat()).go()?;
    get_by(&released(PROGRAM)?)
}

fn get_by(program: &str) -> Result<Cluster, String> {
    let checked = Run::new(program, &["check"]).output()?;
    if checked.succeeded {
        return Ok(Cluster::There);
    }
    let built = setup::need(&[setup::GO]).and_then(|()| Run::new(program, &["build"]).go());
    match built {
        Ok(()) => Ok(Cluster::There),
        Err(error) if in_ci() => Err(error),
        Err(error) => Ok(Cluster::Missing(format!("{}\n{error}", checked.text.trim()))),
    }
}
