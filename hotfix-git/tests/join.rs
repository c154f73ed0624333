//! Merges and fast-forwards, beside what the system's git makes of them.

use hotfix_git::{ConflictKind, Error, FastForward, History, Join};

use crate::fixture::{Sandbox, TestRepo, committer};

fn two_lines(sandbox: &Sandbox) -> TestRepo {
    let repo = sandbox.repo("repo");
    repo.commit("begin", &[("a", "1\n2\n3\n4\n5\n6\n"), ("b", "b\n")]);
    repo.git(&["switch", "--quiet", "-c", "hotfix"]);
    repo.commit("fix", &[("a", "1\nTWO\n3\n4\n5\n6\n")]);
    repo.git(&["switch", "--quiet", "main"]);
    repo
}

fn git_merge(repo: &TestRepo, from: &str, message: &str) -> String {
    repo.git(&["switch", "--quiet", "--detach"]);
    repo.git(&["-c", "user.name=x", "merge", "--quiet", "--no-ff", "-m", message, from]);
    repo.git(&["rev-parse", "HEAD^{tree}"])
}

#[test]
fn a_merge_has_two_parents_even_where_a_fast_forward_would_do() {
    let sandbox = Sandbox::new();
    let repo = two_lines(&sandbox);
    let ours = repo.open();
    let joined = ours.merge(repo.id("main"), repo.id("hotfix"), "Merge the fix", &committer()).unwrap();
    let Join::Commit { id, tree, moved } = joined else { panic!("{joined:?}") };
    ours.keep().unwrap();
    assert_eq!((tree, moved), (repo.id("hotfix^{tree}"), vec![]));
    let id = id.to_string();
    let parents = format!("{} {}", repo.id("main"), repo.id("hotfix"));
    assert_eq!(repo.git(&["log", "-1", "--format=%P", &id]), parents);
    let people =
        "Rob Release rob@example.test 1700000100\nRob Release rob@example.test 1700000100\nMerge the fix\n";
    assert_eq!(repo.git(&["log", "-1", "--format=%an %ae %at%n%cn %ce %ct%n%B", &id]), people.trim_end());
}

#[test]
fn a_merge_of_two_lines_gives_the_tree_of_git() {
    let sandbox = Sandbox::new();
    let repo = two_lines(&sandbox);
    repo.commit("more", &[("a", "1\n2\n3\n4\n5\nSIX\n"), ("c/d", "d\n")]);
    let joined = repo.open().merge(repo.id("main"), repo.id("hotfix"), "m", &committer()).unwrap();
    let Join::Commit { tree, .. } = joined else { panic!("{joined:?}") };
    assert_eq!(tree.to_string(), git_merge(&repo, "hotfix", "m"));
}

#[test]
fn what_is_contained_is_already_merged() {
    let sandbox = Sandbox::new();
    let repo = two_lines(&sandbox);
    let ours = repo.open();
    let merge = |into: &str, from: &str| ours.merge(repo.id(into), repo.id(from), "m", &committer()).unwrap();
    assert_eq!(merge("hotfix", "main"), Join::AlreadyMerged);
    assert_eq!(merge("hotfix", "hotfix"), Join::AlreadyMerged);
}

#[test]
fn a_conflict_is_reported_and_nothing_is_made() {
    let sandbox = Sandbox::new();
    let repo = two_lines(&sandbox);
    repo.commit("clash", &[("a", "1\nzwei\n3\n4\n5\n6\n")]);
    let ours = repo.open();
    let joined = ours.merge(repo.id("main"), repo.id("hotfix"), "m", &committer()).unwrap();
    let Join::Conflict(paths) = joined else { panic!("{joined:?}") };
    assert_eq!(
        paths.iter().map(|path| (path.path.to_string(), path.kind.clone())).collect::<Vec<_>>(),
        [("a".to_owned(), ConflictKind::Content)]
    );
    assert_eq!(ours.keep().unwrap(), 0);
}

#[test]
fn several_merge_bases_are_left_to_git() {
    let sandbox = Sandbox::new();
    let repo = two_lines(&sandbox);
    repo.commit("other", &[("b", "B\n")]);
    // Each line merges the other's first commit: two merge bases.
    let (one, two) = (repo.id("main"), repo.id("hotfix"));
    repo.git(&["switch", "--quiet", "-c", "left", &one.to_string()]);
    repo.git(&["merge", "--quiet", "--no-ff", "-m", "left", &two.to_string()]);
    repo.commit("left", &[("l", "l\n")]);
    repo.git(&["switch", "--quiet", "-c", "right", &two.to_string()]);
    repo.git(&["merge", "--quiet", "--no-ff", "-m", "right", &one.to_string()]);
    repo.commit("right", &[("r", "r\n")]);
    repo.git(&["switch", "--quiet", "left"]);
    assert_eq!(repo.git(&["merge-base", "--all", "left", "right"]).lines().count(), 2);
    let joined = repo.open().merge(repo.id("left"), repo.id("right"), "m", &committer()).unwrap();
    let Join::Commit { tree, .. } = joined else { panic!("{joined:?}") };
    assert_eq!(tree.to_string(), git_merge(&repo, "right", "m"));
    let mut program = repo.program();
    program.path = "/does/not/exist".into();
    let without = hotfix_git::Repo::open(&repo.path).unwrap().with_program(program);
    let refused = without.merge(repo.id("left"), repo.id("right"), "m", &committer());
    assert!(matches!(refused, Err(Error::OldProgram { needed: "2.38", .. })), "{refused:?}");
}

#[test]
fn only_a_straight_line_can_be_fast_forwarded() {
    let sandbox = Sandbox::new();
    let repo = two_lines(&sandbox);
    let base = repo.id("main");
    let fix = repo.id("hotfix");
    let other = repo.commit("other", &[("b", "B\n")]);
    let ours = repo.open();
    assert_eq!(ours.fast_forward(base, fix).unwrap(), FastForward::Possible);
    assert_eq!(ours.fast_forward(fix, base).unwrap(), FastForward::UpToDate);
    assert_eq!(ours.fast_forward(other, fix).unwrap(), FastForward::Diverged);
    repo.git(&["switch", "--quiet", "--orphan", "elsewhere"]);
    let stranger = repo.commit("stranger", &[("s", "s\n")]);
    let refused = repo.open().fast_forward(stranger, fix);
    assert!(matches!(refused, Err(Error::NoCommonHistory { shallow: History::Complete, .. })), "{refused:?}");
}
