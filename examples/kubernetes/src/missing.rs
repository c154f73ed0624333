//! The programs that these examples take and a machine does not have, each with what gets it.

use std::fmt;
use std::io;

use hotfix_examples::Failure;
use hotfix_testkit::cluster;
use hotfix_testkit::monitoring::RealPrometheus;

use crate::{MISSING, pipeline};

/// What is missing.
#[derive(Debug)]
pub(crate) struct Missing(Vec<String>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this example runs on a Kubernetes control plane of its own and is judged by a real Prometheus. What is missing:\n",
        )?;
        for missing in &self.0 {
            writeln!(f, "- {missing}")?;
        }
        write!(f, "`cargo xtask test` gets all of it; without it an example ends with code {MISSING}")
    }
}

impl std::error::Error for Missing {}

/// Starts a Prometheus, if there is all that an example takes.
///
/// # Errors
/// [`Missing`], with everything that is; what kept Prometheus from starting.
pub(crate) async fn prometheus() -> Result<RealPrometheus, Failure> {
    let mut missing: Vec<String> = cluster::check().err().iter().map(ToString::to_string).collect();
    let started = pipeline::prometheus().await;
    let is_there = |failure: &Failure| {
        failure.downcast_ref::<io::Error>().is_none_or(|error| error.kind() != io::ErrorKind::NotFound)
    };
    match started {
        Err(failure) if is_there(&failure) => return Err(failure),
        Err(failure) => {
            missing.push(format!("{failure}, or `apt-get install prometheus` where there is apt"))
        }
        Ok(prometheus) if missing.is_empty() => return Ok(prometheus),
        Ok(_) => {}
    }
    Err(Missing(missing).into())
}
