//! Picks of one fix, case by case, each beside what the system's git makes of it.

use hotfix_git::{ConflictKind, Error, Lines, Mainline, Moved, PathConflict, Pick, TreePath};

use crate::fixture::{Sandbox, TestRepo, committer};

const LONG: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";
const FIXED: &str = "one\ntwo\nthree\nFOUR\nfive\nsix\nseven\neight\nnine\nten\n";
const OTHER: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nTEN\n";
const CLASH: &str = "one\ntwo\nthree\n4\nfive\nsix\nseven\neight\nnine\nten\n";

/// A repository with `base` on main, then `ours` on the branch `release` and `theirs` on the branch `fix`.
fn three_sides(sandbox: &Sandbox, base: Edits<'_>, ours: Edits<'_>, theirs: Edits<'_>) -> TestRepo {
    let repo = sandbox.repo("repo");
    edit(&repo, base, "base");
    for (branch, edits) in [("release", ours), ("fix", theirs)] {
        repo.git(&["switch", "--quiet", "-c", branch, "main"]);
        edit(&repo, edits, "fix the leak");
    }
    repo
}

/// Steps in the work tree.
enum Step<'a> {
    Write(&'a str, &'a str),
    Remove(&'a str),
    Move(&'a str, &'a str),
    Link(&'a str, &'a str),
    Executable(&'a str),
}
use Step::{Executable, Link, Move, Remove, Write};

type Edits<'a> = &'a [Step<'a>];

fn edit(repo: &TestRepo, edits: Edits<'_>, message: &str) {
    for step in edits {
        match step {
            Write(path, content) => repo.write(path, content),
            Remove(path) => repo.remove(path),
            Move(from, to) => {
                std::fs::create_dir_all(repo.path.join(to).parent().unwrap()).unwrap();
                std::fs::rename(repo.path.join(from), repo.path.join(to)).unwrap();
            }
            Link(path, target) => std::os::unix::fs::symlink(target, repo.path.join(path)).unwrap(),
            Executable(path) => {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(repo.path.join(path), PermissionsExt::from_mode(0o755)).unwrap();
            }
        }
    }
    repo.commit(message, &[]);
}

fn pick(repo: &TestRepo) -> Pick {
    let ours = repo.open();
    let fix = ours.read_fix(repo.id("fix"), Mainline::Only).unwrap();
    let pick = ours.pick(&fix, repo.id("release"), &committer()).unwrap();
    ours.keep().unwrap();
    pick
}

fn conflicts(repo: &TestRepo) -> Vec<PathConflict> {
    match pick(repo) {
        Pick::Conflict(paths) => paths,
        other => panic!("expected a conflict, got {other:?}"),
    }
}

fn kinds(repo: &TestRepo) -> Vec<(String, ConflictKind)> {
    conflicts(repo)
        .into_iter()
        .map(|conflict| (conflict.path.to_string(), conflict.kind))
        .collect()
}

/// Picks with the system's git in a clone, and returns the commit, or `None` for a conflict.
fn git_pick(sandbox: &Sandbox, repo: &TestRepo) -> Option<String> {
    repo.git(&["clone", "--quiet", "--branch", "release", ".", "../throw-away"]);
    let clone = sandbox.at(sandbox.path().join("throw-away"));
    let picked = clone.try_git(&["cherry-pick", "-x", &repo.id("fix").to_string()]);
    picked.status.success().then(|| clone.git(&["rev-parse", "HEAD"]))
}

#[test]
fn a_clean_pick_is_the_very_commit_that_git_makes() {
    let sandbox = Sandbox::new();
    let base = [
        Write("src/deep/a.txt", LONG),
        Write("src/b.txt", LONG),
        Write("top", "x\n"),
    ];
    let theirs = [
        Write("src/deep/a.txt", FIXED),
        Write("src/new.txt", "new\n"),
        Remove("top"),
    ];
    let repo = three_sides(&sandbox, &base, &[Write("src/deep/a.txt", OTHER)], &theirs);
    let Pick::Commit { id, moved, .. } = pick(&repo) else {
        panic!("no commit")
    };
    assert_eq!(moved, []);
    assert_eq!(Some(id.to_string()), git_pick(&sandbox, &repo));
    assert_eq!(
        repo.git(&["log", "-1", "--format=%an %ae %at %cn %ct%n%B", &id.to_string()]),
        format!(
            "Ada Author ada@example.test 1700000000 Rob Release 1700000100\nfix the leak\n\n(cherry picked from commit {})\n",
            repo.id("fix")
        ).trim_end()
    );
}

#[test]
fn the_same_pick_gives_the_same_id_and_nothing_is_on_disk_before_it_is_kept() {
    let sandbox = Sandbox::new();
    let repo = three_sides(
        &sandbox,
        &[Write("a", LONG)],
        &[Write("b", "b\n")],
        &[Write("a", FIXED)],
    );
    let before = repo.git(&["count-objects", "-v"]);
    let ids: Vec<_> = (0..2)
        .map(|_| {
            let ours = repo.open();
            let fix = ours.read_fix(repo.id("fix"), Mainline::Only).unwrap();
            match ours.pick(&fix, repo.id("release"), &committer()).unwrap() {
                Pick::Commit { id, .. } => id,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(repo.git(&["count-objects", "-v"]), before);
    assert!(
        !repo
            .try_git(&["cat-file", "-e", &ids[0].to_string()])
            .status
            .success()
    );
}

#[test]
fn what_is_there_already_is_no_conflict() {
    let sandbox = Sandbox::new();
    let repo = three_sides(
        &sandbox,
        &[Write("a", LONG)],
        &[Write("a", FIXED), Write("b", "b\n")],
        &[Write("a", FIXED)],
    );
    assert_eq!(pick(&repo), Pick::AlreadyApplied);
}

#[test]
fn a_commit_without_changes_is_nothing_to_do() {
    let sandbox = Sandbox::new();
    let repo = three_sides(&sandbox, &[Write("a", LONG)], &[], &[]);
    assert_eq!(pick(&repo), Pick::NothingToDo);
}

#[test]
fn a_conflict_names_kind_blobs_and_lines() {
    let sandbox = Sandbox::new();
    let repo = three_sides(
        &sandbox,
        &[Write("a", LONG)],
        &[Write("a", CLASH)],
        &[Write("a", FIXED)],
    );
    let found = conflicts(&repo);
    assert_eq!(found.len(), 1);
    let conflict = &found[0];
    assert_eq!(
        (conflict.path.clone(), conflict.kind.clone()),
        (TreePath::from("a"), ConflictKind::Content)
    );
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
fn a_file_moved_to_one_place_is_changed_there() {
    let sandbox = Sandbox::new();
    let ours = [Move("old/a.txt", "new/place/a.txt"), Write("other", "x\n")];
    let repo = three_sides(
        &sandbox,
        &[Write("old/a.txt", LONG)],
        &ours,
        &[Write("old/a.txt", FIXED)],
    );
    let Pick::Commit { id, moved, .. } = pick(&repo) else {
        panic!("no commit")
    };
    assert_eq!(
        moved,
        [Moved {
            from: Some("old/a.txt".into()),
            to: "new/place/a.txt".into()
        }]
    );
    assert_eq!(Some(id.to_string()), git_pick(&sandbox, &repo));
}

#[test]
fn a_file_moved_and_renamed_is_left_to_git() {
    let sandbox = Sandbox::new();
    let repo = three_sides(
        &sandbox,
        &[Write("old/a.txt", LONG)],
        &[Move("old/a.txt", "new/b.md"), Write("new/b.md", OTHER)],
        &[Write("old/a.txt", FIXED)],
    );
    let Pick::Commit { id, moved, .. } = pick(&repo) else {
        panic!("no commit")
    };
    assert_eq!(
        moved,
        [Moved {
            from: None,
            to: "new/b.md".into()
        }]
    );
    assert_eq!(Some(id.to_string()), git_pick(&sandbox, &repo));
}

#[test]
fn a_file_copied_to_two_places_is_ambiguous_though_git_takes_one() {
    let sandbox = Sandbox::new();
    let ours = [Move("old/a.txt", "one/a.txt"), Write("two/a.txt", OTHER)];
    let repo = three_sides(
        &sandbox,
        &[Write("old/a.txt", LONG)],
        &ours,
        &[Write("old/a.txt", FIXED)],
    );
    let candidates = vec![TreePath::from("one/a.txt"), TreePath::from("two/a.txt")];
    assert_eq!(
        kinds(&repo),
        [("old/a.txt".to_owned(), ConflictKind::AmbiguousMove { candidates })]
    );
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
            ConflictKind::Content,
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
        (
            "rename/delete",
            &[Write("a", LONG)],
            &[Move("a", "b")],
            &[Remove("a")],
            "b",
            ConflictKind::Move,
        ),
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
        assert!(
            found.contains(&((*path).to_owned(), kind.clone())),
            "{name}: {found:?}"
        );
        assert_eq!(git_pick(&sandbox, &repo), None, "{name}");
    }
}

#[test]
fn unusual_but_clean_changes_give_the_tree_of_git() {
    let cases: &[(&str, Edits<'_>, Edits<'_>, Edits<'_>)] = &[
        (
            "mode only",
            &[Write("a", LONG)],
            &[Write("b", "b\n")],
            &[Executable("a")],
        ),
        (
            "mode here, lines there",
            &[Write("a", LONG)],
            &[Executable("a")],
            &[Write("a", FIXED)],
        ),
        (
            "folder becomes file",
            &[Write("p/q", LONG)],
            &[Write("b", "b\n")],
            &[Remove("p/q"), Write("other", "o\n")],
        ),
        (
            "last file of a folder",
            &[Write("d/e/f", "f\n"), Write("k", "k\n")],
            &[Write("b", "b\n")],
            &[Remove("d/e/f")],
        ),
        (
            "no newline at the end",
            &[Write("a", "1\n2\n3")],
            &[Write("b", "b\n")],
            &[Write("a", "1\n2\n3!")],
        ),
        (
            "names beyond ASCII",
            &[Write("ü/ß.txt", LONG)],
            &[Write("ü/ß.txt", OTHER)],
            &[Write("ü/ß.txt", FIXED)],
        ),
        (
            "link retargeted",
            &[Link("l", "a")],
            &[Write("b", "b\n")],
            &[Remove("l"), Link("l", "c")],
        ),
        (
            "applied in part",
            &[Write("a", LONG), Write("b", LONG)],
            &[Write("a", FIXED)],
            &[Write("a", FIXED), Write("b", FIXED)],
        ),
        (
            "union by attribute",
            &[
                Write(".gitattributes", "*.log merge=union\n"),
                Write("x.log", "0\n"),
            ],
            &[Write("x.log", "0\n1\n")],
            &[Write("x.log", "0\n2\n")],
        ),
    ];
    for (name, base, ours, theirs) in cases {
        let sandbox = Sandbox::new();
        let repo = three_sides(&sandbox, base, ours, theirs);
        let Pick::Commit { id, .. } = pick(&repo) else {
            panic!("{name}: {:?}", pick(&repo))
        };
        assert_eq!(Some(id.to_string()), git_pick(&sandbox, &repo), "{name}");
    }
}

#[test]
fn attributes_of_the_receiving_tree_count_in_a_bare_repository_too() {
    let cases = [
        (
            "*.x merge=ours-driver",
            ConflictKind::CustomDriver {
                driver: "ours-driver".to_owned(),
            },
        ),
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
fn a_root_commit_is_picked_and_a_merge_needs_its_mainline() {
    let sandbox = Sandbox::new();
    let repo = three_sides(
        &sandbox,
        &[Write("a", LONG)],
        &[Write("b", "b\n")],
        &[Write("c", "c\n")],
    );
    repo.git(&["switch", "--quiet", "--orphan", "root"]);
    repo.commit("root", &[("r", "r\n")]);
    repo.git(&["switch", "--quiet", "release"]);
    repo.git(&["merge", "--quiet", "--no-ff", "-m", "join", "fix"]);
    let ours = repo.open();
    let root = ours.read_fix(repo.id("root"), Mainline::Only).unwrap();
    assert!(matches!(
        ours.pick(&root, repo.id("main"), &committer()).unwrap(),
        Pick::Commit { .. }
    ));
    let merge = repo.id("release");
    assert!(matches!(
        ours.read_fix(merge, Mainline::Only),
        Err(Error::MainlineNeeded { parents: 2, .. })
    ));
    assert!(matches!(
        ours.read_fix(merge, Mainline::Parent(3)),
        Err(Error::NoSuchMainline { mainline: 3, .. })
    ));
    assert!(matches!(
        ours.read_fix(repo.id("main"), Mainline::Parent(1)),
        Err(Error::NoSuchMainline { parents: 0, .. })
    ));
    let joined = ours.read_fix(merge, Mainline::Parent(1)).unwrap();
    let Pick::Commit { tree, .. } = ours.pick(&joined, repo.id("main"), &committer()).unwrap() else {
        panic!()
    };
    assert_eq!(tree, repo.id("fix^{tree}"));
}

#[test]
fn a_message_that_is_not_utf8_is_refused() {
    let sandbox = Sandbox::new();
    let repo = three_sides(&sandbox, &[Write("a", LONG)], &[], &[Write("a", FIXED)]);
    std::fs::write(repo.path.join("message"), b"caf\xe9\n").unwrap();
    repo.git(&[
        "-c",
        "i18n.commitEncoding=ISO-8859-1",
        "commit",
        "--quiet",
        "--amend",
        "-F",
        "message",
    ]);
    let refused = repo.open().read_fix(repo.id("fix"), Mainline::Only).map(|_| ());
    assert!(
        matches!(refused, Err(Error::MessageEncoding { .. })),
        "{refused:?}"
    );
}

#[test]
fn without_a_git_that_can_merge_the_path_is_reported() {
    let sandbox = Sandbox::new();
    let repo = three_sides(&sandbox, &[Write("a", LONG)], &[Move("a", "b")], &[Remove("a")]);
    let mut program = repo.program();
    program.path = "/does/not/exist".into();
    let ours = hotfix_git::Repo::open(&repo.path).unwrap().with_program(program);
    let fix = ours.read_fix(repo.id("fix"), Mainline::Only).unwrap();
    let Pick::Conflict(paths) = ours.pick(&fix, repo.id("release"), &committer()).unwrap() else {
        panic!()
    };
    assert_eq!(
        paths.iter().map(|path| path.kind.clone()).collect::<Vec<_>>(),
        [ConflictKind::NeedsGit]
    );
}

#[test]
fn a_change_is_measured_by_path() {
    let sandbox = Sandbox::new();
    let base = [Write("a", LONG), Write("bin", "a\0"), Write("gone", "1\n2\n")];
    let theirs = [
        Write("a", FIXED),
        Write("bin", "b\0"),
        Remove("gone"),
        Write("new/n", "1\n2\n3\n"),
    ];
    let repo = three_sides(&sandbox, &base, &[], &theirs);
    let sizes = repo.open().change_size(repo.id("main"), repo.id("fix")).unwrap();
    let found: Vec<_> = sizes
        .iter()
        .map(|size| (size.path.to_string(), size.lines))
        .collect();
    let text = |added, removed| Lines::Text { added, removed };
    let expected = [
        ("a", text(1, 1)),
        ("bin", Lines::Binary),
        ("gone", text(0, 2)),
        ("new/n", text(3, 0)),
    ]
    .map(|(path, lines)| (path.to_owned(), lines));
    assert_eq!(found, expected);
}
