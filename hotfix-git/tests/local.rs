//! Batches in a repository that has no remote: compare-and-swap, crashes between two writes, checkouts.

use hotfix_core::model::{RefUpdate, Stamp};
use hotfix_core::port::{
    Conflict, FetchMode, Probe, Receipt, Rejection, Reply, Seal, Sealed, SourceQuery, VersionControl,
};

use crate::fixture::source::{apply, branch, create, key, object, observe, open_port, shop, tag, update};
use crate::fixture::{Sandbox, TestRepo};

fn repository() -> (Sandbox, TestRepo) {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("repo");
    repo.commit("begin", &[("a", "a\n")]);
    repo.git(&["branch", "develop"]);
    repo.git(&["switch", "--quiet", "-c", "work"]);
    repo.commit("work", &[("b", "b\n")]);
    (sandbox, repo)
}

fn applied(count: usize, stamp: &str) -> Reply {
    Reply::Applied(Receipt(format!("{count} reference(s) at {stamp}")))
}

fn refused(reply: Reply) -> String {
    match reply {
        Reply::Rejected(Rejection::Permanent { reason }) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_batch_moves_references_and_leaves_the_checkout_alone() {
    let (_sandbox, repo) = repository();
    let (base, work) = (repo.id("main"), repo.id("work"));
    repo.write("a", "dirty\n");
    repo.write("untracked", "u\n");
    let status = repo.git(&["status", "--porcelain=v2", "--branch"]);
    let port = open_port(&repo, None);
    let updates =
        vec![update(branch("main"), base, work), create(branch("hotfix/1"), base), create(tag("v1"), work)];
    assert_eq!(apply(&port, "k1", (1, 1), updates).await, applied(3, "1.1"));
    assert_eq!([repo.id("main"), repo.id("hotfix/1"), repo.id("v1")], [work, base, work]);
    assert_eq!(repo.git(&["status", "--porcelain=v2", "--branch"]), status);
    assert_eq!(
        port.probe(&shop(), &key("k1")).await,
        Probe::Applied(Receipt("3 reference(s) at 1.1".to_owned()))
    );
    repo.git(&["fsck", "--strict"]);
}

#[tokio::test]
async fn a_repeat_is_applied_though_the_branch_was_checked_out_since() {
    let (_sandbox, repo) = repository();
    let (base, work) = (repo.id("main"), repo.id("work"));
    let port = open_port(&repo, None);
    let updates = || vec![update(branch("main"), base, work)];
    assert_eq!(apply(&port, "k1", (1, 1), updates()).await, applied(1, "1.1"));
    repo.git(&["switch", "--quiet", "main"]);
    assert_eq!(apply(&port, "k1", (1, 2), updates()).await, applied(1, "1.1"));
}

#[tokio::test]
async fn all_or_none_when_one_reference_is_elsewhere() {
    let (_sandbox, repo) = repository();
    let (base, work) = (repo.id("main"), repo.id("work"));
    let updates = vec![create(branch("new"), work), update(branch("develop"), work, base)];
    let drifted = Conflict::Drifted {
        expected: format!("refs/heads/develop at {work}"),
        found: format!("refs/heads/develop at {base}"),
    };
    let port = open_port(&repo, None);
    assert_eq!(apply(&port, "k1", (1, 1), updates).await, Reply::Conflict(drifted));
    assert!(!repo.try_git(&["rev-parse", "--verify", "new"]).status.success());
    assert_eq!(port.probe(&shop(), &key("k1")).await, Probe::NotApplied);
}

#[tokio::test]
async fn what_no_repository_should_do_is_refused() {
    let (_sandbox, repo) = repository();
    let (base, work) = (repo.id("main"), repo.id("work"));
    repo.git(&["tag", "-a", "-m", "x", "annotated", "main"]);
    repo.git(&["worktree", "add", "--quiet", "../linked", "develop"]);
    let tag_object = repo.id("annotated");
    let port = open_port(&repo, None);
    let linked = repo.path.parent().unwrap().join("linked");
    let cases = [
        (vec![], "the batch is empty".to_owned()),
        (
            vec![update(branch("work"), work, base)],
            format!(
                "refs/heads/work is checked out in {}/; switch that checkout to another branch first",
                repo.path.display()
            ),
        ),
        (
            vec![update(branch("develop"), base, work)],
            format!(
                "refs/heads/develop is checked out in {}; switch that checkout to another branch first",
                linked.display()
            ),
        ),
        (
            vec![create(branch("x"), base), create(branch("x"), base)],
            "refs/heads/x is named twice in one batch".to_owned(),
        ),
        (
            vec![RefUpdate::delete(tag("annotated"), object(tag_object))],
            "refs/tags/annotated is a tag; tags are never moved and never deleted".to_owned(),
        ),
        (
            vec![create(branch("x"), tag_object)],
            format!("{tag_object} is a tag object; refs/heads/x must hold a commit"),
        ),
        (
            vec![create(branch("x"), repo.id("main^{tree}"))],
            format!("{} is a tree; refs/heads/x must hold a commit", repo.id("main^{tree}")),
        ),
        (
            vec![create(branch("main/below"), base)],
            "refs/heads/main/below cannot be created beside refs/heads/main; delete or rename that"
                .to_owned(),
        ),
    ];
    for (number, (updates, reason)) in cases.into_iter().enumerate() {
        assert_eq!(refused(apply(&port, "k", (1, 1), updates).await), reason, "case {number}");
    }
    repo.git(&["branch", "folder/inside", "main"]);
    let taken = refused(apply(&port, "k", (1, 1), vec![create(branch("folder"), base)]).await);
    assert!(taken.starts_with("refs/heads/folder cannot be created"), "{taken}");
    assert_eq!(observe(&port, vec![], &[]).await.stamp, Stamp::ZERO);
}

#[tokio::test]
async fn a_batch_cut_after_the_fence_is_completed_by_whoever_comes_next() {
    for next in ["probe", "seal", "repeat", "another batch"] {
        let (_sandbox, repo) = repository();
        let (base, work) = (repo.id("main"), repo.id("work"));
        let port = open_port(&repo, None);
        let updates = || vec![update(branch("main"), base, work), create(branch("hotfix/1"), base)];
        assert_eq!(apply(&port, "k1", (1, 1), updates()).await, applied(2, "1.1"));
        // As if the process had been killed with the fence raised and one of two references written.
        let fence = repo.id("refs/hotfix/fence/shop").to_string();
        repo.git(&["update-ref", &format!("refs/hotfix/pending/shop/{fence}"), &fence]);
        repo.git(&["update-ref", "-d", "refs/heads/hotfix/1"]);
        match next {
            "probe" => drop(port.probe(&shop(), &key("k1")).await),
            "seal" => drop(port.seal(&shop(), Stamp::new(2, 0)).await),
            "repeat" => drop(apply(&port, "k1", (1, 1), updates()).await),
            _ => drop(apply(&port, "k2", (1, 2), vec![create(branch("other"), base)]).await),
        }
        assert_eq!([repo.id("main"), repo.id("hotfix/1")], [work, base], "{next}");
        assert_eq!(repo.git(&["for-each-ref", "refs/hotfix/pending"]), "", "{next}");
        // From then on the references are the user's: moving one back does not wake the batch.
        repo.git(&["update-ref", "refs/heads/main", &base.to_string()]);
        let _ = port.probe(&shop(), &key("k1")).await;
        assert_eq!(repo.id("main"), base, "{next}");
    }
}

#[tokio::test]
async fn a_seal_shuts_out_what_is_older() {
    let (_sandbox, repo) = repository();
    let base = repo.id("main");
    let port = open_port(&repo, None);
    assert_eq!(port.seal(&shop(), Stamp::new(1, 5)).await, Seal::Sealed(Sealed { previous: Stamp::ZERO }));
    assert_eq!(port.seal(&shop(), Stamp::new(1, 5)).await, Seal::Sealed(Sealed { previous: Stamp::ZERO }));
    assert_eq!(port.seal(&shop(), Stamp::new(1, 4)).await, Seal::Overtaken { current: Stamp::new(1, 5) });
    let fenced = Reply::Conflict(Conflict::Fenced { current: Stamp::new(1, 5) });
    assert_eq!(apply(&port, "k1", (1, 5), vec![create(branch("x"), base)]).await, fenced);
    assert_eq!(apply(&port, "k1", (1, 6), vec![create(branch("x"), base)]).await, applied(1, "1.6"));
}

#[tokio::test]
async fn a_lock_held_by_a_running_git_is_busy_and_says_which_file() {
    let (_sandbox, repo) = repository();
    let base = repo.id("main");
    let lock = repo.path.join(".git/refs/heads/x.lock");
    std::fs::write(&lock, "").unwrap();
    let reply = apply(&open_port(&repo, None), "k1", (1, 1), vec![create(branch("x"), base)]).await;
    let Reply::Rejected(Rejection::Busy { reason, .. }) = reply else { panic!("{reply:?}") };
    assert_eq!(
        reason,
        format!("refs/heads/x is locked; if no git process is running, remove {}", lock.display())
    );
}

#[tokio::test]
async fn a_lock_left_behind_by_a_killed_process_is_taken_away() {
    let (_sandbox, repo) = repository();
    let base = repo.id("main");
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    for (name, content, stale) in
        [("x", String::new(), true), ("y", format!("{base}\n"), true), ("z", "other".to_owned(), false)]
    {
        let lock = repo.path.join(format!(".git/refs/heads/{name}.lock"));
        std::fs::write(&lock, content).unwrap();
        std::fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
        std::fs::create_dir_all(repo.path.join(".git/refs/hotfix/fence")).unwrap();
        std::fs::write(repo.path.join(".git/refs/hotfix/fence/shop.lock"), "half a line").unwrap();
        let port = open_port(&repo, None);
        let seq = observe(&port, vec![], &[]).await.stamp.seq + 1;
        let reply = apply(&port, name, (1, seq), vec![create(branch(name), base)]).await;
        assert_eq!(matches!(reply, Reply::Applied(_)), stale, "{name}: {reply:?}");
    }
}

#[tokio::test]
async fn an_unreadable_fence_stops_everything() {
    let (_sandbox, repo) = repository();
    let base = repo.id("main");
    repo.git(&["update-ref", "refs/hotfix/fence/shop", "main"]);
    let port = open_port(&repo, None);
    let said = format!("the fence commit {base} cannot be read: a newer version may have written it");
    assert_eq!(port.probe(&shop(), &key("k1")).await, Probe::Unreadable { cause: said.clone() });
    assert_eq!(port.seal(&shop(), Stamp::new(1, 1)).await, Seal::Unreachable { cause: said.clone() });
    assert_eq!(refused(apply(&port, "k1", (1, 1), vec![create(branch("x"), base)]).await), said);
}

#[tokio::test]
async fn facts_are_read_from_bare_repositories_and_linked_work_trees() {
    let (sandbox, repo) = repository();
    let base = repo.id("main");
    repo.git(&["worktree", "add", "--quiet", "--detach", "../linked"]);
    repo.git(&["clone", "--quiet", "--bare", ".", "../bare.git"]);
    for (name, checked_out) in
        [("repo", vec![branch("work")]), ("linked", vec![branch("work")]), ("bare.git", vec![branch("work")])]
    {
        let port = open_port(&sandbox.at(sandbox.path().join(name)), None);
        let query = SourceQuery {
            service: shop(),
            refs: vec![branch("main")],
            revisions: vec!["main^{tree}".to_owned()],
            fetch: FetchMode::Local,
        };
        let facts = port.observe(&query).await.unwrap();
        assert_eq!(facts.refs[&branch("main")], Some(object(base)), "{name}");
        assert_eq!(facts.revisions["main^{tree}"], None, "{name}");
        let checked_out = if name == "bare.git" { vec![] } else { checked_out };
        assert_eq!(facts.checked_out, checked_out, "{name}");
    }
}
