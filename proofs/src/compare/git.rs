//! A fix of three files picked onto 20 release branches of 50,000 files, against the git program.

use std::path::Path;
use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_benches::program::{git, run};
use hotfix_benches::repository::{CloneKind, Generated, LARGE, pick_onto_all};
use hotfix_git::Oid;

use super::case::{Better, Case, Goal};
use super::clock::{median_millis, timed};

const ROUNDS: usize = 5;

/// A round of checkouts takes a hundred times as long.
const CHECKOUT_ROUNDS: usize = 2;

/// The git program that ours is compared with.
struct Peer {
    program: String,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

/// From here on `git merge-tree` takes the merge base from the caller.
const TAKES_MERGE_BASE: Version = Version(2, 40);

pub(super) fn measure(print: impl Fn(Case)) -> Result<(), Failure> {
    let generated = Generated::new(LARGE)?;
    let peer = Peer::find()?;
    let (mut ours, mut theirs, mut checkouts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (took, trees) = on_fresh_clone(&generated, CloneKind::Bare, |path| {
            pick_onto_all(path, generated.fix, &generated.branches)
        })?;
        ours.push(took);
        let merge_trees = |path: &Path| peer.merge_trees(path, &generated);
        let (took, same) = on_fresh_clone(&generated, CloneKind::Bare, merge_trees)?;
        theirs.push(took);
        must_equal("git merge-tree", &trees, &same)?;
        if round < CHECKOUT_ROUNDS {
            let check_out = |path: &Path| peer.check_out_and_pick(path, &generated);
            let (took, same) = on_fresh_clone(&generated, CloneKind::WorkTree, check_out)?;
            checkouts.push(took);
            must_equal("git cherry-pick", &trees, &same)?;
        }
    }
    let case = |way: &str, times: &[Duration], least| Case {
        name: format!("pick-onto-20-branches/{way}-{}.{}", peer.version.0, peer.version.1),
        ours: median_millis(&ours),
        peer: Some(median_millis(times)),
        better: Better::Less,
        goal: Goal::Ratio(least),
    };
    print(case("merge-tree", &theirs, 4.0));
    print(case("checkout", &checkouts, 100.0));
    Ok(())
}

/// Times the work alone, neither making the clone nor removing it.
fn on_fresh_clone(
    generated: &Generated,
    kind: CloneKind,
    work: impl FnOnce(&Path) -> Result<Vec<Oid>, Failure>,
) -> Result<(Duration, Vec<Oid>), Failure> {
    let clone = generated.clone_of(kind)?;
    let (took, trees) = timed(|| work(clone.path()));
    Ok((took, trees?))
}

fn must_equal(peer: &str, ours: &[Oid], theirs: &[Oid]) -> Result<(), Failure> {
    match ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs) {
        None if ours.len() == theirs.len() => Ok(()),
        differs => {
            let text = format!("{peer} made other trees; the first difference is at branch {differs:?}");
            Err(Failure::new(text))
        }
    }
}

impl Peer {
    fn find() -> Result<Self, Failure> {
        #[expect(clippy::disallowed_methods, reason = "the help text names this variable")]
        let program = std::env::var("HOTFIX_GIT_PEER").unwrap_or_else(|_| "git".to_owned());
        let text = run(git(&program, Path::new(".")).arg("--version"))?;
        let version = Version::read(&text)
            .ok_or_else(|| Failure::new(format!("{program} says {text:?} instead of its version")))?;
        Ok(Self { program, version })
    }

    /// Content merge by content merge, without a work tree: two or three programs for each branch.
    fn merge_trees(&self, path: &Path, generated: &Generated) -> Result<Vec<Oid>, Failure> {
        generated.branches.iter().map(|onto| self.merge_tree(path, generated.fix, *onto)).collect()
    }

    fn merge_tree(&self, path: &Path, fix: Oid, onto: Oid) -> Result<Oid, Failure> {
        let git = || git(&self.program, path);
        let mut merge = git();
        merge.args(["merge-tree", "--write-tree"]);
        if self.version >= TAKES_MERGE_BASE {
            merge.arg(format!("--merge-base={fix}^")).args([onto.to_string(), fix.to_string()]);
        } else {
            // A commit with the branch's tree and the fix's parent has the wanted merge base.
            let (tree, parent) = (format!("{onto}^{{tree}}"), format!("{fix}^"));
            let stand_in = run(git().args(["commit-tree", &tree, "-p", &parent, "-m", "stand-in"]))?;
            merge.args([stand_in, fix.to_string()]);
        }
        let tree = Oid::from_str(&run(&mut merge)?)?;
        run(git().args(["commit-tree", &tree.to_string(), "-p", &onto.to_string(), "-m", "fix"]))?;
        Ok(tree)
    }

    /// What most tools do: each branch is checked out and picked onto.
    fn check_out_and_pick(&self, path: &Path, generated: &Generated) -> Result<Vec<Oid>, Failure> {
        let git = || git(&self.program, path);
        let check_out_and_pick = |onto: &Oid| {
            run(git().args(["checkout", "-q", "--detach", &onto.to_string()]))?;
            run(git().args(["cherry-pick", "-x", &generated.fix.to_string()]))?;
            Ok(Oid::from_str(&run(git().args(["rev-parse", "HEAD^{tree}"]))?)?)
        };
        generated.branches.iter().map(check_out_and_pick).collect()
    }
}

impl Version {
    /// Reads `git version 2.39.5 (Apple Git-154)`.
    fn read(text: &str) -> Option<Self> {
        let mut numbers = text.strip_prefix("git version ")?.split('.');
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        assert_eq!(Version::read("git version 2.39.5"), Some(Version(2, 39)));
        assert!(Version(2, 39) < TAKES_MERGE_BASE && Version(2, 47) > TAKES_MERGE_BASE);
        assert_eq!(Version::read("hub version 1"), None);
    }
}
