//! A shop's repository: a work tree of a developer's and a bare remote that counts.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::Failure;

/// The repository of a shop.
#[derive(Debug, Clone)]
pub struct Repository {
    work: PathBuf,
}

impl Repository {
    /// Makes the repository below `home` with the files of release 2.1.0: tag v2.1.0 on `production` and `develop`, pushed
    /// to a remote.
    ///
    /// # Errors
    /// What git or the file system says.
    pub fn create(home: &Path, files: &[(&str, &str)]) -> Result<Self, Failure> {
        let (work, remote) = (home.join("shop"), home.join("remote.git"));
        std::fs::create_dir_all(&work)?;
        let repository = Self { work };
        let remote = remote.display().to_string();
        repository.git(&["init", "--quiet", "--bare", &remote])?;
        repository.git(&["init", "--quiet", "--initial-branch", "production"])?;
        repository.git(&["config", "user.name", "Ada"])?;
        repository.git(&["config", "user.email", "ada@shop.example"])?;
        repository.git(&["remote", "add", "origin", &remote])?;
        repository.write(files)?;
        repository.git(&["add", "."])?;
        repository.git(&["commit", "--quiet", "-m", "Release 2.1.0"])?;
        repository.git(&["tag", "-a", "v2.1.0", "-m", "Release 2.1.0"])?;
        repository.git(&["branch", "develop"])?;
        repository.git(&["push", "--quiet", "origin", "production", "develop", "v2.1.0"])?;
        // A developer works on a branch of their own: nothing below touches it, the work tree or the index.
        repository.git(&["checkout", "--quiet", "-b", "work"])?;
        Ok(repository)
    }

    /// Opens the repository that was made below `home`.
    #[must_use]
    pub fn open(home: &Path) -> Self {
        Self { work: home.join("shop") }
    }

    /// Returns where the work tree is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.work
    }

    /// Commits a fix on top of a release and returns its id.
    ///
    /// # Errors
    /// What git or the file system says.
    pub fn fix(&self, base: &str, files: &[(&str, &str)], message: &str) -> Result<String, Failure> {
        self.git(&["fetch", "--quiet", "--tags", "origin"])?;
        self.git(&["checkout", "--quiet", "--detach", base])?;
        self.write(files)?;
        self.git(&["commit", "--quiet", "--all", "-m", message])?;
        self.git(&["rev-parse", "HEAD"])
    }

    /// Returns the branches and tags of the remote.
    ///
    /// # Errors
    /// What git says.
    pub fn remote_refs(&self) -> Result<Vec<String>, Failure> {
        let listed = self.git(&["ls-remote", "--heads", "--tags", "--refs", "origin"])?;
        Ok(listed.lines().filter_map(|line| line.split_once('\t')).map(|(_, name)| name.to_owned()).collect())
    }

    /// Returns git's answer.
    ///
    /// # Errors
    /// What git says.
    pub fn git(&self, arguments: &[&str]) -> Result<String, Failure> {
        #[expect(clippy::disallowed_methods, reason = "the example plays the developer, who uses git")]
        let mut git = std::process::Command::new("git");
        let Output { status, stdout, stderr } = git.current_dir(&self.work).args(arguments).output()?;
        if status.success() {
            return Ok(String::from_utf8(stdout)?.trim().to_owned());
        }
        Err(format!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&stderr).trim()).into())
    }

    fn write(&self, files: &[(&str, &str)]) -> Result<(), Failure> {
        files.iter().try_for_each(|(name, text)| Ok(std::fs::write(self.work.join(name), text)?))
    }
}
