//! Which repositories are taken, and which are refused before anything is written.

use hotfix_git::{Error, History, Mainline, Pick, Repo, UnsupportedFeature};

use crate::fixture::{Sandbox, committer};

fn refused(path: &std::path::Path) -> Error {
    Repo::open(path).map(|_| ()).unwrap_err()
}

#[test]
fn what_is_no_repository_is_named() {
    let sandbox = Sandbox::new();
    for path in [sandbox.path().to_path_buf(), sandbox.path().join("missing")] {
        assert!(matches!(refused(&path), Error::NoRepository { path: named } if named == path));
    }
}

#[test]
fn formats_that_libgit2_cannot_read_are_refused_by_name() {
    let cases = [
        ("extensions.refStorage", "reftable", UnsupportedFeature::Reftable),
        ("extensions.objectFormat", "sha256", UnsupportedFeature::Sha256),
        ("extensions.partialClone", "origin", UnsupportedFeature::PartialClone),
        ("remote.origin.promisor", "true", UnsupportedFeature::PartialClone),
    ];
    for (setting, value, expected) in cases {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo("repo");
        repo.commit("begin", &[("a", "a\n")]);
        repo.git(&["worktree", "add", "--quiet", "../linked"]);
        repo.git(&["config", "core.repositoryFormatVersion", "1"]);
        repo.git(&["config", setting, value]);
        for path in [repo.path.clone(), repo.path.join(".git"), sandbox.path().join("linked")] {
            let error = refused(&path);
            assert!(
                matches!(error, Error::Unsupported { feature, .. } if feature == expected),
                "{setting}: {error}"
            );
        }
    }
}

#[test]
fn a_real_partial_clone_is_refused() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("repo");
    repo.commit("begin", &[("a", "a\n")]);
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", repo.path.display());
    let partial = sandbox.init("partial", &["clone", "--quiet", "--filter=blob:none", &url, "."]);
    assert!(matches!(
        refused(&partial.path),
        Error::Unsupported { feature: UnsupportedFeature::PartialClone, .. }
    ));
}

#[test]
fn bare_linked_and_shallow_repositories_pick_alike() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("repo");
    repo.commit("begin", &[("a", "a\n")]);
    repo.commit("more", &[("b", "b\n")]);
    repo.git(&["switch", "--quiet", "-c", "fix"]);
    let fix = repo.commit("fix", &[("a", "fixed\n")]);
    repo.git(&["switch", "--quiet", "main"]);
    let onto = repo.commit("later", &[("c", "c\n")]);
    let url = format!("file://{}", repo.path.display());
    sandbox.init("bare.git", &["clone", "--quiet", "--bare", &url, "."]);
    sandbox.init("shallow", &["clone", "--quiet", "--depth=2", "--no-single-branch", &url, "."]);
    repo.git(&["worktree", "add", "--quiet", "--detach", "../linked"]);
    let picks: Vec<_> = ["repo", "bare.git", "shallow", "linked"]
        .into_iter()
        .map(|name| {
            let ours = sandbox.at(sandbox.path().join(name)).open();
            let expected = if name == "shallow" { History::Shallow } else { History::Complete };
            assert_eq!(ours.history(), expected, "{name}");
            let fix = ours.read_fix(fix, Mainline::Only).unwrap();
            ours.pick(&fix, onto, &committer()).unwrap()
        })
        .collect();
    assert!(matches!(picks[0], Pick::Commit { .. }));
    assert!(picks.iter().all(|pick| *pick == picks[0]), "{picks:?}");
}

#[test]
fn revisions_and_references_are_resolved_and_peeled() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("repo");
    let first = repo.commit("begin", &[("a", "a\n")]);
    repo.git(&["tag", "-a", "-m", "x", "v1.0.0"]);
    repo.git(&["tag", "light"]);
    let second = repo.commit("more", &[("b", "b\n")]);
    let ours = repo.open();
    for (revision, commit) in [("v1.0.0", first), ("light", first), ("HEAD~1", first), ("main", second)] {
        assert_eq!(ours.resolve_commit(revision).unwrap(), commit, "{revision}");
    }
    assert_eq!(ours.resolve_commit(&first.to_string()[..10]).unwrap(), first);
    assert!(matches!(ours.resolve_commit("nothing"), Err(Error::NotFound { name }) if name == "nothing"));
    assert!(matches!(ours.resolve_commit("main:a"), Err(Error::WrongKind { found: "blob", .. })));
    let tag = ours.find_ref("refs/tags/v1.0.0").unwrap().unwrap();
    assert_eq!((tag.id, tag.commit), (repo.id("v1.0.0"), Some(first)));
    assert_ne!(tag.id, first);
    assert_eq!(ours.find_ref("refs/heads/none").unwrap(), None);
    assert!(matches!(ours.find_ref("refs/heads/a..b"), Err(Error::BadRefName { .. })));
    assert_eq!(ours.tag_names().unwrap(), ["light", "v1.0.0"]);
}

#[test]
fn a_branch_under_rebase_counts_as_checked_out() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("repo");
    repo.commit("begin", &[("a", "a\n")]);
    repo.git(&["switch", "--quiet", "-c", "topic"]);
    repo.commit("topic", &[("a", "topic\n")]);
    repo.git(&["switch", "--quiet", "main"]);
    repo.commit("main", &[("a", "main\n")]);
    repo.git(&["switch", "--quiet", "topic"]);
    assert!(!repo.try_git(&["rebase", "main"]).status.success());
    let names: Vec<_> = repo.open().checked_out().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["refs/heads/topic"]);
}
