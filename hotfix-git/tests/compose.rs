//! Recipes through the port: what a hotfix is made of, and 20 release branches at once.

use hotfix_core::model::{ObjectId, TagName, Timestamp};
use hotfix_core::port::{Composed, ConflictKind, Identity, Instruction, Point, Recipe, VersionControl};

use crate::fixture::source::{Source, apply, branch, create, object, open_port, tag, update};
use crate::fixture::{Sandbox, TestRepo};

fn recipe(instructions: Vec<Instruction>) -> Recipe {
    let identity = Identity { name: "Hotfix Bot".to_owned(), email: "bot@example.test".to_owned() };
    let at: Timestamp = chrono::DateTime::from_timestamp(1_767_225_600, 0).unwrap();
    Recipe { identity, at, instructions }
}

fn commit(composed: &Composed) -> (ObjectId, ObjectId) {
    match composed {
        Composed::Commit { id, tree } => (id.clone(), tree.clone()),
        other => panic!("expected a commit, got {other:?}"),
    }
}

fn oid(id: &ObjectId) -> hotfix_git::Oid {
    hotfix_git::Oid::from_str(id.as_str()).unwrap()
}

fn tag_name(name: &str) -> TagName {
    TagName::new(name).unwrap()
}

#[tokio::test]
async fn a_whole_hotfix_is_composed_first_and_published_in_one_push() {
    let source = Source::new();
    let clone = &source.clone;
    let base = clone.id("origin/main");
    clone.git(&["switch", "--quiet", "-c", "work", "origin/develop"]);
    let develop = clone.commit("develop goes on", &[("other", "o\n")]);
    clone.git(&["push", "--quiet", "origin", "HEAD:develop"]);
    let fix = clone.commit("stop the leak", &[("service/main", "v2.1.1\n")]);
    let merge = |into: Point, message: &str| Instruction::Merge {
        into,
        from: Point::Made(0),
        message: message.to_owned(),
    };
    let recipe = recipe(vec![
        Instruction::Pick { onto: Point::Commit(object(base)), commits: vec![object(fix)] },
        Instruction::Tag {
            name: tag_name("v2.1.1-rc.1"),
            on: Point::Made(0),
            message: "candidate".to_owned(),
        },
        merge(Point::Commit(object(base)), "Merge hotfix 2.1.1"),
        Instruction::Tag { name: tag_name("v2.1.1"), on: Point::Made(2), message: "release".to_owned() },
        merge(Point::Commit(object(develop)), "Merge hotfix 2.1.1 into develop"),
        Instruction::Diff { from: Point::Commit(object(base)), to: Point::Made(2) },
    ]);
    let port = source.port();
    let made = port.compose(&recipe).await.unwrap();
    assert_eq!(port.compose(&recipe).await.unwrap(), made);
    assert_eq!(
        source.remote.git(&["for-each-ref", "--count=9", "--format=%(refname:short)"]),
        "develop\nmain\nv2.1.0"
    );
    let [(picked, _), (production, _), (merged, _)] = [0, 2, 4].map(|index| commit(&made[index]));
    let Composed::Tag { id: release } = &made[3] else { panic!("{made:?}") };
    let Composed::Diff(size) = &made[5] else { panic!("{made:?}") };
    assert_eq!(
        size.paths.iter().map(|path| (path.path.as_str(), path.added, path.removed)).collect::<Vec<_>>(),
        [("service/main", 1, 1)]
    );
    let updates = vec![
        create(branch("hotfix/2.1.1"), oid(&picked)),
        update(branch("main"), base, oid(&production)),
        update(branch("develop"), develop, oid(&merged)),
        create(tag("v2.1.1"), oid(release)),
    ];
    apply(&port, "publish", (1, 1), updates).await;
    let remote = &source.remote;
    assert_eq!(remote.id("v2.1.1^{commit}"), remote.id("main"));
    assert_eq!(remote.git(&["log", "-1", "--format=%P", "main"]), format!("{base} {picked}"));
    assert_eq!(remote.git(&["log", "-1", "--format=%P", "develop"]), format!("{develop} {picked}"));
    assert_eq!(remote.git(&["show", "v2.1.1:service/main"]), "v2.1.1");
    assert_eq!(remote.git(&["cat-file", "-t", "v2.1.1"]), "tag");
    let origin = format!("(cherry picked from commit {fix})");
    assert_eq!(
        remote.git(&["log", "-1", "--format=%B", picked.as_str()]).lines().last(),
        Some(origin.as_str())
    );
    remote.git(&["fsck", "--strict"]);
}

#[tokio::test]
async fn a_conflict_on_develop_does_not_stop_production() {
    let source = Source::new();
    let clone = &source.clone;
    let base = clone.id("origin/main");
    let fix = clone.commit("fix", &[("service/main", "v2.1.1\n")]);
    clone.git(&["switch", "--quiet", "--detach", "origin/develop"]);
    let develop = clone.commit("rewritten", &[("service/main", "v3.0.0\n")]);
    let on_develop = Instruction::Merge {
        into: Point::Commit(object(develop)),
        from: Point::Commit(object(fix)),
        message: "m".to_owned(),
    };
    let made = source
        .port()
        .compose(&recipe(vec![
            Instruction::Merge {
                into: Point::Commit(object(base)),
                from: Point::Commit(object(fix)),
                message: "m".to_owned(),
            },
            on_develop,
            Instruction::Tag { name: tag_name("v9"), on: Point::Made(1), message: "m".to_owned() },
            Instruction::Merge {
                into: Point::Made(0),
                from: Point::Commit(object(fix)),
                message: "again".to_owned(),
            },
        ]))
        .await
        .unwrap();
    let (production, tree) = commit(&made[0]);
    let Composed::Conflict { paths } = &made[1] else { panic!("{made:?}") };
    let blobs = [base, develop, fix].map(|side| Some(object(clone.id(&format!("{side}:service/main")))));
    assert_eq!(
        (paths[0].path.as_str(), paths[0].kind, paths[0].blobs.clone()),
        ("service/main", ConflictKind::Content, blobs)
    );
    assert_eq!(paths.len(), 1);
    assert_eq!(made[2..], [Composed::Skipped, Composed::Unchanged { id: production, tree }]);
}

#[tokio::test]
async fn one_fix_goes_to_twenty_release_branches() {
    let (_sandbox, repo) = twenty_branches();
    let fix = repo.id("fix");
    let picks = (0..20).map(|number| {
        let onto = Point::Commit(object(repo.id(&format!("release/{number}"))));
        Instruction::Pick { onto, commits: vec![object(fix)] }
    });
    let status = repo.git(&["status", "--porcelain=v2", "--branch"]);
    let made = open_port(&repo, None).compose(&recipe(picks.collect())).await.unwrap();
    for (number, composed) in made.iter().enumerate() {
        match (number, composed) {
            (3 | 11, Composed::Conflict { paths }) => assert_eq!(paths[0].path, "a", "{number}"),
            (7, Composed::Unchanged { id, .. }) => assert_eq!(*id, object(repo.id("release/7"))),
            (_, composed) => {
                let (id, _) = commit(composed);
                assert_eq!(repo.git(&["show", &format!("{id}:a")]), repo.git(&["show", "fix:a"]), "{number}");
                assert_eq!(repo.git(&["show", &format!("{id}:own")]), number.to_string());
            }
        }
    }
    assert_eq!(repo.git(&["status", "--porcelain=v2", "--branch"]), status);
}

fn twenty_branches() -> (Sandbox, TestRepo) {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("repo");
    repo.commit("begin", &[("a", "1\n2\n3\n"), ("b", "b\n"), ("c/d", "d\n")]);
    repo.git(&["switch", "--quiet", "-c", "fix"]);
    repo.commit("fix", &[("a", "1\ntwo\n3\n"), ("b", "B\n"), ("c/d", "D\n")]);
    for number in 0..20 {
        repo.git(&["switch", "--quiet", "-c", &format!("release/{number}"), "main"]);
        let own = number.to_string();
        match number {
            3 | 11 => repo.commit("own", &[("own", own.as_str()), ("a", "1\nzwei\n3\n")]),
            7 => repo
                .commit("own", &[("own", own.as_str()), ("a", "1\ntwo\n3\n"), ("b", "B\n"), ("c/d", "D\n")]),
            _ => repo.commit("own", &[("own", own.as_str())]),
        };
    }
    (sandbox, repo)
}

#[tokio::test]
async fn a_recipe_that_makes_no_sense_is_refused() {
    let source = Source::new();
    let base = object(source.clone.id("origin/main"));
    let port = source.port();
    let diff = |to: Point| Instruction::Diff { from: Point::Commit(base.clone()), to };
    let missing = ObjectId::new("0123456789012345678901234567890123456789").unwrap();
    let cases = [
        (vec![diff(Point::Made(0))], hotfix_core::ErrorKind::Invalid),
        (vec![diff(Point::Commit(base.clone())), diff(Point::Made(0))], hotfix_core::ErrorKind::Invalid),
        (vec![diff(Point::Commit(missing.clone()))], hotfix_core::ErrorKind::NotFound),
        (
            vec![Instruction::Pick { onto: Point::Commit(base.clone()), commits: vec![missing] }],
            hotfix_core::ErrorKind::NotFound,
        ),
    ];
    for (number, (instructions, kind)) in cases.into_iter().enumerate() {
        assert_eq!(port.compose(&recipe(instructions)).await.unwrap_err().kind(), kind, "case {number}");
    }
}

#[tokio::test]
async fn a_written_file_keeps_its_mode_and_a_link_is_refused() {
    let source = Source::new();
    let clone = &source.clone;
    clone.git(&["switch", "--quiet", "-c", "work"]);
    clone.commit("a script", &[("run.sh", "#!/bin/sh\n")]);
    clone.git(&["update-index", "--chmod=+x", "run.sh"]);
    std::os::unix::fs::symlink("run.sh", clone.path.join("link")).unwrap();
    clone.git(&["add", "link"]);
    clone.git(&["commit", "--quiet", "-m", "a link"]);
    let head = clone.id("HEAD");
    let write = |path: &str, onto: Point| Instruction::Write {
        onto,
        path: path.to_owned(),
        contents: "#!/bin/sh\r\nexit 0".to_owned(),
        message: "exit".to_owned(),
    };
    let instructions = vec![
        write("run.sh", Point::Commit(object(head))),
        write("link", Point::Commit(object(head))),
        write("run.sh", Point::Made(0)),
    ];
    let port = source.port();
    let made = port.compose(&recipe(instructions)).await.unwrap();
    let (id, _) = commit(&made[0]);
    assert!(clone.git(&["ls-tree", id.as_str(), "run.sh"]).starts_with("100755 blob"));
    assert_eq!(clone.git(&["diff-tree", "-r", "--name-only", id.as_str(), "HEAD"]), "run.sh");
    assert_eq!(
        clone.git(&["log", "--format=%an <%ae>: %B", "-1", id.as_str()]).trim(),
        "Hotfix Bot <bot@example.test>: exit"
    );
    let Composed::Conflict { paths } = &made[1] else { panic!("{:?}", made[1]) };
    assert_eq!(paths[0].kind, ConflictKind::Type);
    assert!(matches!(&made[2], Composed::Unchanged { id: there, .. } if *there == id), "{:?}", made[2]);
    let link = port.read_file(&object(head), "link").await.unwrap_err();
    assert_eq!(link.kind(), hotfix_core::ErrorKind::Invalid);
    let text = port.read_file(&id, "run.sh").await.unwrap();
    assert_eq!(text.as_deref(), Some("#!/bin/sh\r\nexit 0"));
}
