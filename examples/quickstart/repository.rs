//! The shop's repository: a work tree of a developer's and a bare remote that counts.

use std::path::{Path, PathBuf};
use std::process::Output;

use hotfix::local::MANIFEST_FILE;

use crate::Failure;
use crate::service::{BEHAVIOUR, Behaviour};

/// The repository of the shop.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    work: PathBuf,
}

impl Repository {
    /// Makes the repository below `home`: production tag v2.1.0 on `production` and `develop`, pushed to a remote.
    pub(crate) fn create(home: &Path) -> Result<Self, Failure> {
        let (work, remote) = (home.join("shop"), home.join("remote.git"));
        std::fs::create_dir_all(&work)?;
        let repository = Self { work };
        let remote = remote.display().to_string();
        repository.git(&["init", "--quiet", "--bare", &remote])?;
        repository.git(&["init", "--quiet", "--initial-branch", "production"])?;
        repository.git(&["config", "user.name", "Ada"])?;
        repository.git(&["config", "user.email", "ada@shop.example"])?;
        repository.git(&["remote", "add", "origin", &remote])?;
        repository.write(MANIFEST_FILE, &manifest()?)?;
        repository.behave("2.1.0", 0)?;
        repository.git(&["add", "."])?;
        repository.git(&["commit", "--quiet", "-m", "Release 2.1.0"])?;
        repository.git(&["tag", "-a", "v2.1.0", "-m", "Release 2.1.0"])?;
        repository.git(&["branch", "develop"])?;
        repository.git(&["push", "--quiet", "origin", "production", "develop", "v2.1.0"])?;
        // A developer works on a branch of their own: nothing below touches it, the work tree or the index.
        repository.git(&["checkout", "--quiet", "-b", "work"])?;
        Ok(repository)
    }

    pub(crate) fn open(home: &Path) -> Self {
        Self { work: home.join("shop") }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.work
    }

    /// Commits a fix on top of a release and returns its id.
    pub(crate) fn fix(
        &self,
        base: &str,
        version: &str,
        fails_every: u64,
        message: &str,
    ) -> Result<String, Failure> {
        self.git(&["fetch", "--quiet", "--tags", "origin"])?;
        self.git(&["checkout", "--quiet", "--detach", base])?;
        self.behave(version, fails_every)?;
        self.git(&["commit", "--quiet", "--all", "-m", message])?;
        self.git(&["rev-parse", "HEAD"])
    }

    /// Returns the branches and tags of the remote.
    pub(crate) fn remote_refs(&self) -> Result<Vec<String>, Failure> {
        let listed = self.git(&["ls-remote", "--heads", "--tags", "--refs", "origin"])?;
        Ok(listed.lines().filter_map(|line| line.split_once('\t')).map(|(_, name)| name.to_owned()).collect())
    }

    /// Returns a line of git's answer.
    pub(crate) fn git(&self, arguments: &[&str]) -> Result<String, Failure> {
        #[expect(clippy::disallowed_methods, reason = "the example plays the developer, who uses git")]
        let mut git = std::process::Command::new("git");
        let Output { status, stdout, stderr } = git.current_dir(&self.work).args(arguments).output()?;
        if status.success() {
            return Ok(String::from_utf8(stdout)?.trim().to_owned());
        }
        Err(format!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&stderr).trim()).into())
    }

    fn behave(&self, version: &str, fails_every: u64) -> Result<(), Failure> {
        let behaviour = Behaviour { version: version.to_owned(), fails_every };
        self.write(BEHAVIOUR, &serde_json::to_string_pretty(&behaviour)?)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        Ok(std::fs::write(self.work.join(name), text)?)
    }
}

/// How a release of the shop is started: by this very program.
fn manifest() -> Result<String, Failure> {
    let program = std::env::current_exe()?;
    let argv = serde_json::to_string(&[program.display().to_string().as_str(), "serve"])?;
    Ok(format!(
        "argv = {argv}\n\n[health]\npath = \"/health\"\ninterval = \"100ms\"\n\n[stop]\ngrace = \"5s\"\n"
    ))
}
