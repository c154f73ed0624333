//! A generated repository: many files in many folders, release branches that went their own ways, and a fix.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use hotfix_git::{Mainline, Oid, Person, Pick, Repo};

use crate::Failure;
use crate::program::{git, run};

/// How large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Folders at the top, in each of these, and in each of those.
    pub folders: [usize; 3],
    /// Files in each of the innermost folders. The number of all files and 48,271 have no common divisor.
    pub files: usize,
    /// Release branches.
    pub branches: usize,
    /// How many of them changed files of the fix elsewhere, so that a real merge of contents is needed.
    pub merging: usize,
    /// Files that each branch edits.
    pub edited: usize,
    /// Files that it adds.
    pub added: usize,
    /// Files that it deletes.
    pub deleted: usize,
    /// Files that it moves.
    pub moved: usize,
}

/// A fix of three files among 50,000, onto 20 branches that differ in some 3,900 files each.
pub const LARGE: Shape = Shape {
    folders: [20, 10, 10],
    files: 25,
    branches: 20,
    merging: 13,
    edited: 3_000,
    added: 400,
    deleted: 300,
    moved: 100,
};

/// The same in small, for a quick look: 1,000 files and four branches.
pub const SMALL: Shape = Shape {
    folders: [4, 5, 5],
    files: 10,
    branches: 4,
    merging: 3,
    edited: 60,
    added: 8,
    deleted: 6,
    moved: 2,
};

/// The repository, gone when it is dropped.
#[derive(Debug)]
pub struct Generated {
    folder: tempfile::TempDir,
    /// The commit of the fix.
    pub fix: Oid,
    /// The heads of the release branches.
    pub branches: Vec<Oid>,
}

const LINES: usize = 40;
const FIXED_LINE: usize = 5;
const DIVERGED_LINE: usize = 30;

impl Generated {
    /// Makes a repository.
    ///
    /// # Errors
    /// [`Failure`] when git cannot, or the disk is full.
    pub fn new(shape: Shape) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let (origin, stream, marks) =
            (folder.path().join("origin.git"), folder.path().join("stream"), folder.path().join("marks"));
        run(git("git", folder.path()).args(["init", "-q", "--bare", "origin.git"]))?;
        let mut out = BufWriter::new(File::create(&stream)?);
        shape.write(&mut out)?;
        out.flush()?;
        let mut import = git("git", &origin);
        import.args(["fast-import", "--quiet"]).arg(format!("--export-marks={}", marks.display()));
        run(import.stdin(File::open(&stream)?))?;
        std::fs::remove_file(&stream)?;
        let ids = ids(&std::fs::read_to_string(&marks)?)?;
        match ids.as_slice() {
            [_, fix, branches @ ..] if branches.len() == shape.branches => {
                Ok(Self { folder, fix: *fix, branches: branches.to_vec() })
            }
            other => Err(Failure::new(format!("git imported {} commits", other.len()))),
        }
    }

    /// Makes a fresh clone that shares the objects, so that a measure writes its own objects anew.
    ///
    /// # Errors
    /// [`Failure`] when git cannot.
    pub fn clone_of(&self, kind: CloneKind) -> Result<Clone, Failure> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let mut clone = git("git", self.folder.path());
        clone.args(["clone", "-q", "--shared"]);
        clone.args(match kind {
            CloneKind::Bare => ["--bare"].as_slice(),
            CloneKind::WorkTree => ["--branch", "main"].as_slice(),
        });
        run(clone.arg("origin.git").arg(folder.path()))?;
        Ok(Clone(folder))
    }
}

/// Whether a clone has files to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloneKind {
    /// Only the repository.
    Bare,
    /// All files of the main branch too.
    WorkTree,
}

/// A clone, gone when it is dropped.
#[derive(Debug)]
pub struct Clone(tempfile::TempDir);

impl Clone {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Picks the fix onto every branch and keeps the commits, as one operation of hotfix-git. Returns the trees.
///
/// # Errors
/// [`Failure`] when a branch does not take it cleanly.
pub fn pick_onto_all(path: &Path, fix: Oid, branches: &[Oid]) -> Result<Vec<Oid>, Failure> {
    let repo = Repo::open(path)?;
    let fix = repo.read_fix(fix, Mainline::Only)?;
    let committer = Person {
        name: "bench".to_owned(),
        email: "bench@example.com".to_owned(),
        seconds: 1_700_000_000,
        offset_minutes: 0,
    };
    let mut trees = Vec::with_capacity(branches.len());
    for onto in branches {
        match repo.pick(&fix, *onto, &committer)? {
            Pick::Commit { tree, .. } => trees.push(tree),
            other => return Err(Failure::new(format!("the pick onto {onto} came to {other:?}"))),
        }
    }
    repo.keep()?;
    Ok(trees)
}

fn ids(marks: &str) -> Result<Vec<Oid>, Failure> {
    let mut found = Vec::new();
    for line in marks.lines() {
        if let Some((mark, id)) = line.trim_start_matches(':').split_once(' ') {
            found.push((mark.parse::<usize>()?, Oid::from_str(id)?));
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

impl Shape {
    fn total(&self) -> usize {
        self.folders.iter().product::<usize>() * self.files
    }

    /// The file with this number.
    fn path(&self, number: usize) -> PathBuf {
        let [_, mid, leaf] = self.folders;
        let (folder, file) = (number / self.files, number % self.files);
        let (top, mid, leaf) = (folder / (mid * leaf), folder / leaf % mid, folder % leaf);
        format!("part-{top:02}/module-{mid:02}/unit-{leaf:02}/file-{file:02}.rs").into()
    }

    /// Three files, each in another part.
    fn fixed(&self) -> [usize; 3] {
        let third = self.total() / 3;
        [third / 2, third + third / 2, 2 * third + third / 2]
    }

    /// The files that a branch changes: as many as asked for, all different, none of the fix.
    fn changed(&self, branch: usize) -> impl Iterator<Item = usize> {
        let (total, fixed) = (self.total(), self.fixed());
        (0..total).map(move |i| (i * 48_271 + branch * 7_919) % total).filter(move |i| !fixed.contains(i))
    }

    /// Writes the whole history as `git fast-import` reads it: mark 1 is what all have in common, 2 the fix.
    fn write(&self, out: &mut impl Write) -> Result<(), Failure> {
        commit(out, 1, "main", None)?;
        for number in 0..self.total() {
            modify(out, &self.path(number), &content(number, &[]))?;
        }
        commit(out, 2, "fix", Some(1))?;
        for number in self.fixed() {
            modify(out, &self.path(number), &content(number, &[(FIXED_LINE, "fixed")]))?;
        }
        for branch in 0..self.branches {
            commit(out, branch + 3, &format!("release/{branch:02}"), Some(1))?;
            self.diverge(out, branch)?;
        }
        Ok(())
    }

    fn diverge(&self, out: &mut impl Write, branch: usize) -> Result<(), Failure> {
        let mut changed = self.changed(branch);
        for number in changed.by_ref().take(self.edited) {
            let line = (number + branch) % LINES;
            modify(out, &self.path(number), &content(number, &[(line, &format!("release {branch}"))]))?;
        }
        for number in changed.by_ref().take(self.deleted) {
            writeln!(out, "D {}", self.path(number).display())?;
        }
        for number in changed.by_ref().take(self.moved) {
            let path = self.path(number);
            writeln!(out, "R {} {}", path.display(), path.with_extension("moved.rs").display())?;
        }
        for number in changed.take(self.added) {
            let path = self.path(number).with_file_name(format!("added-{branch:02}-{number}.rs"));
            modify(out, &path, &content(self.total() + number, &[]))?;
        }
        if branch < self.merging {
            for number in self.fixed().into_iter().take(1 + branch % 2) {
                let line = format!("release {branch}");
                modify(out, &self.path(number), &content(number, &[(DIVERGED_LINE, &line)]))?;
            }
        }
        Ok(())
    }
}

fn commit(out: &mut impl Write, mark: usize, branch: &str, from: Option<usize>) -> Result<(), Failure> {
    write!(out, "commit refs/heads/{branch}\nmark :{mark}\n")?;
    write!(out, "committer bench <bench@example.com> 1700000000 +0000\ndata {}\n{branch}\n", branch.len())?;
    if let Some(from) = from {
        writeln!(out, "from :{from}")?;
    }
    Ok(())
}

fn modify(out: &mut impl Write, path: &Path, content: &str) -> Result<(), Failure> {
    write!(out, "M 100644 inline {}\ndata {}\n{content}\n", path.display(), content.len())?;
    Ok(())
}

/// Lines of no meaning, some of them replaced.
fn content(number: usize, replaced: &[(usize, &str)]) -> String {
    let mut text = String::new();
    for line in 0..LINES {
        let word = replaced.iter().find(|(at, _)| *at == line).map_or("as it was", |(_, word)| *word);
        // Writing to a text cannot fail.
        let _ = writeln!(text, "    let value_{line} = call({number}, {line}); // {word}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_repository_takes_the_fix_everywhere() {
        let generated = Generated::new(SMALL).unwrap();
        let clone = generated.clone_of(CloneKind::Bare).unwrap();
        let trees = pick_onto_all(clone.path(), generated.fix, &generated.branches).unwrap();
        assert_eq!(trees.len(), SMALL.branches);
        for (tree, branch) in trees.iter().zip(&generated.branches) {
            let mut diff = git("git", clone.path());
            diff.args(["diff", "--shortstat", &format!("{branch}^{{tree}}"), &tree.to_string()]);
            assert_eq!(run(&mut diff).unwrap(), " 3 files changed, 3 insertions(+), 3 deletions(-)");
        }
    }
}
