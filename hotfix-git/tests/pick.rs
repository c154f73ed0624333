//! Clean picks of one fix, case by case, each beside what the system's git makes of it.

use hotfix_git::{Error, Lines, Mainline, Moved, Pick};

use crate::fixture::sides::*;
use crate::fixture::{Sandbox, committer};

#[test]
fn a_clean_pick_is_the_very_commit_that_git_makes() {
    let sandbox = Sandbox::new();
    let base = [Write("src/deep/a.txt", LONG), Write("src/b.txt", LONG), Write("top", "x\n")];
    let theirs = [Write("src/deep/a.txt", FIXED), Write("src/new.txt", "new\n"), Remove("top")];
    let repo = three_sides(&sandbox, &base, &[Write("src/deep/a.txt", OTHER)], &theirs);
    let Pick::Commit { id, moved, .. } = pick(&repo) else { panic!("no commit") };
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
    let repo = three_sides(&sandbox, &[Write("a", LONG)], &[Write("b", "b\n")], &[Write("a", FIXED)]);
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
    assert!(!repo.try_git(&["cat-file", "-e", &ids[0].to_string()]).status.success());
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
fn a_file_moved_to_one_place_is_changed_there() {
    let sandbox = Sandbox::new();
    let ours = [Move("old/a.txt", "new/place/a.txt"), Write("other", "x\n")];
    let repo = three_sides(&sandbox, &[Write("old/a.txt", LONG)], &ours, &[Write("old/a.txt", FIXED)]);
    let Pick::Commit { id, moved, .. } = pick(&repo) else { panic!("no commit") };
    assert_eq!(moved, [Moved { from: Some("old/a.txt".into()), to: "new/place/a.txt".into() }]);
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
    let Pick::Commit { id, moved, .. } = pick(&repo) else { panic!("no commit") };
    assert_eq!(moved, [Moved { from: None, to: "new/b.md".into() }]);
    assert_eq!(Some(id.to_string()), git_pick(&sandbox, &repo));
}

#[test]
fn unusual_but_clean_changes_give_the_tree_of_git() {
    let cases: &[(&str, Edits<'_>, Edits<'_>, Edits<'_>)] = &[
        ("mode only", &[Write("a", LONG)], &[Write("b", "b\n")], &[Executable("a")]),
        ("mode here, lines there", &[Write("a", LONG)], &[Executable("a")], &[Write("a", FIXED)]),
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
        ("no newline at the end", &[Write("a", "1\n2\n3")], &[Write("b", "b\n")], &[Write("a", "1\n2\n3!")]),
        (
            "names beyond ASCII",
            &[Write("ü/ß.txt", LONG)],
            &[Write("ü/ß.txt", OTHER)],
            &[Write("ü/ß.txt", FIXED)],
        ),
        ("link retargeted", &[Link("l", "a")], &[Write("b", "b\n")], &[Remove("l"), Link("l", "c")]),
        (
            "applied in part",
            &[Write("a", LONG), Write("b", LONG)],
            &[Write("a", FIXED)],
            &[Write("a", FIXED), Write("b", FIXED)],
        ),
        (
            "union by attribute",
            &[Write(".gitattributes", "*.log merge=union\n"), Write("x.log", "0\n")],
            &[Write("x.log", "0\n1\n")],
            &[Write("x.log", "0\n2\n")],
        ),
    ];
    for (name, base, ours, theirs) in cases {
        let sandbox = Sandbox::new();
        let repo = three_sides(&sandbox, base, ours, theirs);
        let Pick::Commit { id, .. } = pick(&repo) else { panic!("{name}: {:?}", pick(&repo)) };
        assert_eq!(Some(id.to_string()), git_pick(&sandbox, &repo), "{name}");
    }
}

#[test]
fn a_root_commit_is_picked_and_a_merge_needs_its_mainline() {
    let sandbox = Sandbox::new();
    let repo = three_sides(&sandbox, &[Write("a", LONG)], &[Write("b", "b\n")], &[Write("c", "c\n")]);
    repo.git(&["switch", "--quiet", "--orphan", "root"]);
    repo.commit("root", &[("r", "r\n")]);
    repo.git(&["switch", "--quiet", "release"]);
    repo.git(&["merge", "--quiet", "--no-ff", "-m", "join", "fix"]);
    let ours = repo.open();
    let root = ours.read_fix(repo.id("root"), Mainline::Only).unwrap();
    assert!(matches!(ours.pick(&root, repo.id("main"), &committer()).unwrap(), Pick::Commit { .. }));
    let merge = repo.id("release");
    assert!(matches!(ours.read_fix(merge, Mainline::Only), Err(Error::MainlineNeeded { parents: 2, .. })));
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
    repo.git(&["-c", "i18n.commitEncoding=ISO-8859-1", "commit", "--quiet", "--amend", "-F", "message"]);
    let refused = repo.open().read_fix(repo.id("fix"), Mainline::Only).map(|_| ());
    assert!(matches!(refused, Err(Error::MessageEncoding { .. })), "{refused:?}");
}

#[test]
fn a_change_is_measured_by_path() {
    let sandbox = Sandbox::new();
    let base = [Write("a", LONG), Write("bin", "a\0"), Write("gone", "1\n2\n")];
    let theirs = [Write("a", FIXED), Write("bin", "b\0"), Remove("gone"), Write("new/n", "1\n2\n3\n")];
    let repo = three_sides(&sandbox, &base, &[], &theirs);
    let sizes = repo.open().change_size(repo.id("main"), repo.id("fix")).unwrap();
    let found: Vec<_> = sizes.iter().map(|size| (size.path.to_string(), size.lines)).collect();
    let text = |added, removed| Lines::Text { added, removed };
    let expected = [("a", text(1, 1)), ("bin", Lines::Binary), ("gone", text(0, 2)), ("new/n", text(3, 0))]
        .map(|(path, lines)| (path.to_owned(), lines));
    assert_eq!(found, expected);
}
