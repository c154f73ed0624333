//! The repository that every cell begins with: v2.1.0 live, a develop branch ahead of it, a good and a bad fix.

use std::fs;
use std::path::{Path, PathBuf};

use super::program::git;
use super::service::BEHAVIOUR;

/// The remote, bare.
pub(super) const ORIGIN: &str = "origin.git";
/// The repository that the driver works with.
pub(super) const WORK: &str = "work.git";
/// The release that is live at first.
pub(super) const BASELINE: &str = "baseline";

/// Which fix is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patch {
    /// It works.
    Good,
    /// It is healthy and answers users with errors.
    Bad,
}

impl Patch {
    /// The branch that holds it, which is also the name that its service answers with.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// The repositories that cells copy.
#[derive(Debug)]
pub(super) struct Template {
    folder: PathBuf,
}

impl Template {
    /// Makes the repositories in a folder. Releases start `program`.
    pub(super) fn make(folder: &Path, program: &Path) -> Result<Self, String> {
        let seed = folder.join("seed");
        fs::create_dir_all(&seed).map_err(|error| format!("{}: {error}", seed.display()))?;
        git(&seed, &["init", "--quiet", "-b", "main"])?;
        write(&seed, "hotfix-release.toml", &manifest(program))?;
        commit(&seed, BEHAVIOUR, &format!("{BASELINE} 200"), "release 2.1.0")?;
        git(&seed, &["tag", "-a", "v2.1.0", "-m", "v2.1.0"])?;
        for (patch, status) in [(Patch::Good, 200), (Patch::Bad, 500)] {
            git(&seed, &["switch", "--quiet", "-c", patch.name(), "v2.1.0"])?;
            commit(&seed, BEHAVIOUR, &format!("{} {status}", patch.name()), "fix: the payment gateway")?;
        }
        git(&seed, &["switch", "--quiet", "-c", "develop", "v2.1.0"])?;
        commit(&seed, "next", "the next release", "feat: something new")?;
        let (origin, work) = (folder.join(ORIGIN), folder.join(WORK));
        git(&seed, &["clone", "--quiet", "--bare", ".", &origin.display().to_string()])?;
        git(folder, &["init", "--quiet", "--bare", "-b", "main", &work.display().to_string()])?;
        git(&work, &["remote", "add", "origin", &origin.display().to_string()])?;
        git(
            &work,
            &["fetch", "--quiet", "origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"],
        )?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Copies the repositories into the folder of a cell.
    pub(super) fn copy_to(&self, cell: &Path) -> Result<(), String> {
        for name in [ORIGIN, WORK] {
            copy(&self.folder.join(name), &cell.join(name))
                .map_err(|error| format!("cannot copy {name} to {}: {error}", cell.display()))?;
        }
        let origin = cell.join(ORIGIN).display().to_string();
        git(&cell.join(WORK), &["remote", "set-url", "origin", &origin])?;
        Ok(())
    }
}

fn manifest(program: &Path) -> String {
    format!(
        "argv = [{:?}, {:?}, \"{{port}}\"]\n[health]\npath = \"/health\"\ninterval = \"40ms\"\ntimeout = \"3s\"\n\
         failures = 10\n[stop]\ngrace = \"3s\"\n",
        program.display().to_string(),
        super::SERVE,
    )
}

fn commit(repository: &Path, file: &str, text: &str, message: &str) -> Result<(), String> {
    write(repository, file, text)?;
    git(repository, &["add", "--all"])?;
    git(repository, &["commit", "--quiet", "-m", message]).map(drop)
}

fn write(folder: &Path, file: &str, text: &str) -> Result<(), String> {
    fs::write(folder.join(file), text).map_err(|error| format!("{file}: {error}"))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
