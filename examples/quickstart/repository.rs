//! What the shop's repository holds.

use std::path::Path;

use hotfix::local::MANIFEST_FILE;
use hotfix_examples::repository::Repository;

use crate::Failure;
use crate::service::{BEHAVIOUR, Behaviour};

/// Makes the repository below `home`, with a production release that works.
pub(crate) fn create(home: &Path) -> Result<Repository, Failure> {
    Repository::create(home, &[(MANIFEST_FILE, &manifest()?), (BEHAVIOUR, &behaviour("2.1.0", 0)?)])
}

/// Commits a fix on top of a release and returns its id.
pub(crate) fn fix(
    repository: &Repository,
    base: &str,
    version: &str,
    fails_every: u64,
    message: &str,
) -> Result<String, Failure> {
    repository.fix(base, &[(BEHAVIOUR, &behaviour(version, fails_every)?)], message)
}

fn behaviour(version: &str, fails_every: u64) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(&Behaviour { version: version.to_owned(), fails_every })?)
}

/// How a release of the shop is started: by this very program.
fn manifest() -> Result<String, Failure> {
    let program = std::env::current_exe()?;
    let argv = serde_json::to_string(&[program.display().to_string().as_str(), "serve"])?;
    Ok(format!(
        "argv = {argv}\n\n[health]\npath = \"/health\"\ninterval = \"100ms\"\n\n[stop]\ngrace = \"5s\"\n"
    ))
}
