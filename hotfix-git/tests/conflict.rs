//! Conflicts: what is reported for each kind, beside what git says.

use hotfix_git::{ConflictKind, Mainline, Pick, TreePath};

use crate::fixture::sides::*;
use crate::fixture::{Sandbox, committer};

#[test]
fn a_conflict_names_kind_blobs_and_lines() {
    let sandbox = Sandbox::new();
    let repo = three_sides(&sandbox, &[Write("a", LONG)], &[Write("a", CLASH)], &[Write("a", FIXED)]);
    let found = conflicts(&repo);
    assert_eq!(found.len(), 1);
    let conflict = &found[0];
    assert_eq!((conflict.path.clone(), conflict.kind.clone()), (TreePath::from("a"), ConflictKind::Content));
    let blobs = [conflict.base, conflict.ours, conflict.theirs].map(|side| side.unwrap().id);
    assert_eq!(blobs, ["main:a", "release:a", "fix:a"].map(|blob| repo.id(blob)));
    let lines: Vec<_> = conflict
        .hunks
        .iter()
        .map(|hunk| (hunk.base.clone(), hunk.ours.clone(), hunk.theirs.clone()))
        .collect();
    assert_eq!(lines, [(3..4, 3..4, 3..4)]);
    assert_eq!(git_pick(&sandbox, &repo), None);
}

#[test]
fn a_file_copied_to_two_places_is_ambiguous_though_git_takes_one() {
    let sandbox = Sandbox::new();
    let ours = [Move("old/a.txt", "one/a.txt"), Write("two/a.txt", OTHER)];
    let repo = three_sides(&sandbox, &[Write("old/a.txt", LONG)], &ours, &[Write("old/a.txt", FIXED)]);
    let candidates = vec![TreePath::from("one/a.txt"), TreePath::from("two/a.txt")];
    assert_eq!(kinds(&repo), [("old/a.txt".to_owned(), ConflictKind::AmbiguousMove { candidates })]);
    assert!(git_pick(&sandbox, &repo).is_some());
}

#[test]
fn conflicts_of_every_kind_are_named_as_git_sees_them() {
    let cases: &[(&str, Edits<'_>, Edits<'_>, Edits<'_>, &str, ConflictKind)] = &[
        (
            "modify/delete",
            &[Write("a", LONG)],
            &[Remove("a"), Write("z", "z\n")],
            &[Write("a", FIXED)],
            "a",
            ConflictKind::ModifyDelete,
        ),
        (
            "delete/modify",
            &[Write("a", LONG)],
            &[Write("a", FIXED)],
            &[Remove("a")],
            "a",
            ConflictKind::ModifyDelete,
        ),
        (
            "both added",
            &[Write("x", "x\n")],
            &[Write("a", "1\n")],
            &[Write("a", "2\n")],
            "a",
            ConflictKind::BothAdded,
        ),
        (
            "file below a file",
            &[Write("x", "x\n")],
            &[Write("p", "p\n")],
            &[Write("p/q", "q\n")],
            "p",
            ConflictKind::FileFolder,
        ),
        (
            "binary",
            &[Write("a", "a\0")],
            &[Write("a", "b\0")],
            &[Write("a", "c\0")],
            "a",
            ConflictKind::Binary,
        ),
        ("rename/delete", &[Write("a", LONG)], &[Move("a", "b")], &[Remove("a")], "b", ConflictKind::Move),
        (
            "file in a moved folder",
            &[Write("d/a", LONG), Write("d/b", OTHER)],
            &[Move("d/a", "e/a"), Move("d/b", "e/b")],
            &[Write("d/new", "n\n")],
            "e/new",
            ConflictKind::FolderMoved,
        ),
        (
            "CRLF on one side",
            &[Write("a", "1\n2\n3\n")],
            &[Write("a", "1\r\n2\r\n3\r\n")],
            &[Write("a", "1\n2!\n3\n")],
            "a",
            ConflictKind::Content,
        ),
        (
            "link against file",
            &[Write("a", LONG)],
            &[Remove("a"), Link("a", "x")],
            &[Write("a", FIXED)],
            "a",
            ConflictKind::Kinds,
        ),
    ];
    for (name, base, ours, theirs, path, kind) in cases {
        let sandbox = Sandbox::new();
        let repo = three_sides(&sandbox, base, ours, theirs);
        let found = kinds(&repo);
        assert!(found.contains(&((*path).to_owned(), kind.clone())), "{name}: {found:?}");
        assert_eq!(git_pick(&sandbox, &repo), None, "{name}");
    }
}

#[test]
fn attributes_of_the_receiving_tree_count_in_a_bare_repository_too() {
    let cases = [
        ("*.x merge=ours-driver", ConflictKind::CustomDriver { driver: "ours-driver".to_owned() }),
        ("*.x -merge", ConflictKind::Binary),
        ("*.x binary", ConflictKind::Binary),
    ];
    for (line, kind) in cases {
        let sandbox = Sandbox::new();
        let repo = three_sides(
            &sandbox,
            &[Write("a.x", LONG), Write(".gitattributes", line)],
            &[Write("a.x", OTHER)],
            &[Write("a.x", FIXED)],
        );
        repo.git(&["clone", "--quiet", "--bare", ".", "../bare.git"]);
        let bare = sandbox.at(sandbox.path().join("bare.git"));
        assert_eq!(kinds(&bare), [("a.x".to_owned(), kind)], "{line}");
    }
}

#[test]
fn without_a_git_that_can_merge_the_path_is_reported() {
    let sandbox = Sandbox::new();
    let repo = three_sides(&sandbox, &[Write("a", LONG)], &[Move("a", "b")], &[Remove("a")]);
    let mut program = repo.program();
    program.path = "/does/not/exist".into();
    let ours = hotfix_git::Repo::open(&repo.path).unwrap().with_program(program);
    let fix = ours.read_fix(repo.id("fix"), Mainline::Only).unwrap();
    let Pick::Conflict(paths) = ours.pick(&fix, repo.id("release"), &committer()).unwrap() else { panic!() };
    assert_eq!(paths.iter().map(|path| path.kind.clone()).collect::<Vec<_>>(), [ConflictKind::NeedsGit]);
}
