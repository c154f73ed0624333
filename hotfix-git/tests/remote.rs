//! Batches against a real remote, served by `git receive-pack` with its hooks.

use hotfix_core::model::{RefUpdate, Stamp};
use hotfix_core::port::{Conflict, Probe, Receipt, Rejection, Reply, Seal, Sealed, VersionControl};

use hotfix_git::Error;

use crate::fixture::source::{
    Source, apply, branch, create, key, object, observe, shop, tag, try_port, update,
};

fn applied(count: usize, stamp: &str) -> Reply {
    Reply::Applied(Receipt(format!("{count} reference(s) at {stamp}")))
}

#[tokio::test]
async fn a_batch_moves_all_references_on_the_remote_and_here_and_nothing_else() {
    let source = Source::new();
    let clone = &source.clone;
    let base = clone.id("origin/main");
    let fix = clone.commit("fix", &[("service/main", "v2.1.1\n")]);
    clone.git(&["tag", "private"]);
    let status = (clone.git(&["status", "--porcelain=v2", "--branch"]), clone.git(&["ls-files", "--stage"]));
    let port = source.port();
    let updates = vec![
        update(branch("main"), base, fix),
        update(branch("develop"), base, fix),
        create(branch("hotfix/2.1.1"), fix),
        create(tag("v2.1.1"), fix),
    ];
    assert_eq!(apply(&port, "k1", (1, 1), updates).await, applied(4, "1.1"));
    for name in ["main", "develop", "hotfix/2.1.1", "refs/tags/v2.1.1"] {
        assert_eq!(source.remote.id(name), fix, "{name}");
    }
    assert_eq!(source.remote.git(&["tag", "--list"]), "v2.1.0\nv2.1.1");
    // `main` and the new references follow here; `develop` was never a branch of this clone.
    assert_eq!([clone.id("refs/heads/main"), clone.id("hotfix/2.1.1"), clone.id("v2.1.1")], [fix; 3]);
    assert_eq!(clone.git(&["branch", "--list", "develop"]), "");
    let after = (clone.git(&["status", "--porcelain=v2", "--branch"]), clone.git(&["ls-files", "--stage"]));
    assert_eq!(after, status);
}

#[tokio::test]
async fn a_branch_that_is_checked_out_here_moves_on_the_remote_only() {
    let source = Source::new();
    let clone = &source.clone;
    let base = clone.id("origin/main");
    let fix = clone.commit("fix", &[("service/main", "v2.1.1\n")]);
    clone.git(&["switch", "--quiet", "main"]);
    let status = clone.git(&["status", "--porcelain=v2"]);
    let port = source.port();
    assert_eq!(observe(&port, vec![branch("main")], &[]).await.checked_out, []);
    let updates = vec![update(branch("main"), base, fix)];
    assert_eq!(apply(&port, "k1", (1, 1), updates).await, applied(1, "1.1"));
    assert_eq!([source.remote.id("main"), clone.id("refs/heads/main")], [fix, base]);
    assert_eq!(clone.git(&["status", "--porcelain=v2"]), status);
    // Being behind is no obstacle for the next one, and `git pull` catches up.
    assert_eq!(observe(&port, vec![branch("main")], &[]).await.diverged, [].into());
    clone.git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    assert_eq!(clone.id("refs/heads/main"), fix);
}

#[tokio::test]
async fn a_repeat_is_answered_from_the_fence_and_pushes_nothing_twice() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    let port = source.port();
    let updates = || vec![create(branch("hotfix/1"), base)];
    assert_eq!(apply(&port, "k1", (1, 1), updates()).await, applied(1, "1.1"));
    let marks = || source.remote.git(&["rev-list", "--count", "refs/hotfix/fence/shop"]);
    assert_eq!(apply(&port, "k1", (1, 1), updates()).await, applied(1, "1.1"));
    assert_eq!(marks(), "1");
    // Somebody deletes the branch: the key stays applied, and a repeat does not bring it back.
    source.remote.git(&["update-ref", "-d", "refs/heads/hotfix/1"]);
    source.clone.git(&["update-ref", "-d", "refs/heads/hotfix/1"]);
    assert_eq!(apply(&port, "k1", (1, 2), updates()).await, applied(1, "1.1"));
    assert_eq!(marks(), "2");
    assert!(!source.remote.try_git(&["rev-parse", "--verify", "hotfix/1"]).status.success());
    assert!(!source.clone.try_git(&["rev-parse", "--verify", "hotfix/1"]).status.success());
    let fenced = Reply::Conflict(Conflict::Fenced { current: Stamp::new(1, 2) });
    assert_eq!(apply(&port, "k1", (1, 1), updates()).await, fenced);
    assert_eq!(apply(&port, "k2", (1, 2), updates()).await, fenced);
}

#[tokio::test]
async fn two_operators_share_one_fence_through_the_remote() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    let other = source.another_clone("other");
    let (ours, theirs) = (source.port(), source.port_on(&other));
    assert_eq!(apply(&ours, "k1", (1, 1), vec![create(branch("a"), base)]).await, applied(1, "1.1"));
    let sealed = theirs.seal(&shop(), Stamp::new(2, 0)).await;
    assert_eq!(sealed, Seal::Sealed(Sealed { previous: Stamp::new(1, 1) }));
    assert_eq!(theirs.seal(&shop(), Stamp::new(2, 0)).await, sealed);
    let fenced = Reply::Conflict(Conflict::Fenced { current: Stamp::new(2, 0) });
    assert_eq!(apply(&ours, "k2", (1, 2), vec![create(branch("b"), base)]).await, fenced);
    assert_eq!(ours.seal(&shop(), Stamp::new(1, 9)).await, Seal::Overtaken { current: Stamp::new(2, 0) });
    assert_eq!(
        theirs.probe(&shop(), &key("k1")).await,
        Probe::Applied(Receipt("1 reference(s) at 1.1".to_owned()))
    );
    assert_eq!(theirs.probe(&shop(), &key("k2")).await, Probe::NotApplied);
    assert_eq!(observe(&ours, vec![], &[]).await.stamp, Stamp::new(2, 0));
}

#[tokio::test]
async fn a_remote_that_moved_is_drift_and_nothing_moves() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    let fix = source.clone.commit("fix", &[("a", "a\n")]);
    let other = source.another_clone("other");
    let theirs = other.commit("theirs", &[("b", "b\n")]);
    other.git(&["push", "--quiet", "origin", "HEAD:main"]);
    let reply =
        apply(&source.port(), "k1", (1, 1), vec![create(tag("v9"), fix), update(branch("main"), base, fix)])
            .await;
    let drifted = Conflict::Drifted {
        expected: format!("refs/heads/main at {base}"),
        found: format!("refs/heads/main at {theirs}"),
    };
    assert_eq!(reply, Reply::Conflict(drifted));
    assert_eq!(source.remote.id("main"), theirs);
    assert_eq!(
        source.remote.git(&["for-each-ref", "--format=%(refname)", "refs/tags", "refs/hotfix"]),
        "refs/tags/v2.1.0"
    );
}

#[tokio::test]
async fn a_tag_that_exists_only_on_the_remote_is_never_moved() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    source.remote.git(&["tag", "v2.1.1", "main"]);
    let reply = apply(&source.port(), "k1", (1, 1), vec![create(tag("v2.1.1"), base)]).await;
    let drifted = Conflict::Drifted {
        expected: "no refs/tags/v2.1.1".to_owned(),
        found: format!("refs/tags/v2.1.1 at {base}"),
    };
    assert_eq!(reply, Reply::Conflict(drifted));
    let moved = RefUpdate::update(tag("v2.1.0"), object(base), object(base));
    let Reply::Rejected(Rejection::Permanent { reason }) =
        apply(&source.port(), "k2", (1, 2), vec![moved]).await
    else {
        panic!("a tag was moved")
    };
    assert_eq!(reason, "refs/tags/v2.1.0 is a tag; tags are never moved and never deleted");
}

#[tokio::test]
async fn a_reference_declined_by_a_hook_takes_the_whole_batch_with_it() {
    let source = Source::new();
    source.hook("update", "case $1 in refs/heads/main) echo 'main is frozen until Monday'; exit 1;; esac");
    let base = source.clone.id("origin/main");
    let fix = source.clone.commit("fix", &[("a", "a\n")]);
    let updates =
        vec![update(branch("develop"), base, fix), update(branch("main"), base, fix), create(tag("v9"), fix)];
    let reply = apply(&source.port(), "k1", (1, 1), updates).await;
    let reason = "refs/heads/main: hook declined: main is frozen until Monday / \
                  error: hook declined to update refs/heads/main"
        .to_owned();
    assert_eq!(reply, Reply::Rejected(Rejection::Permanent { reason }));
    assert_eq!([source.remote.id("main"), source.remote.id("develop")], [base; 2]);
    assert_eq!(
        source.remote.git(&["for-each-ref", "--format=%(refname)", "refs/tags", "refs/hotfix"]),
        "refs/tags/v2.1.0"
    );
    assert_eq!(source.port().probe(&shop(), &key("k1")).await, Probe::NotApplied);
}

#[tokio::test]
async fn a_reference_that_moves_during_the_push_is_caught_by_the_server() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    let fix = source.clone.commit("fix", &[("a", "a\n")]);
    // The hook runs after the leases were checked by the client and before the references are written.
    source.hook(
        "pre-receive",
        &format!("cat >/dev/null; test -e moved || {{ : >moved; unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main $(git commit-tree -m x {base}^{{tree}}); }}"),
    );
    let reply =
        apply(&source.port(), "k1", (1, 1), vec![create(tag("v9"), fix), update(branch("main"), base, fix)])
            .await;
    let theirs = source.remote.id("main");
    assert_ne!(theirs, base);
    let drifted = Conflict::Drifted {
        expected: format!("refs/heads/main at {base}"),
        found: format!("refs/heads/main at {theirs}"),
    };
    assert_eq!(reply, Reply::Conflict(drifted));
    assert!(!source.remote.try_git(&["rev-parse", "--verify", "refs/tags/v9"]).status.success());
}

#[tokio::test]
async fn deleting_is_leased_too() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    let port = source.port();
    assert_eq!(apply(&port, "k1", (1, 1), vec![create(branch("gone"), base)]).await, applied(1, "1.1"));
    assert_eq!(source.clone.id("gone"), base);
    let delete = || vec![RefUpdate::delete(branch("gone"), object(base))];
    assert_eq!(apply(&port, "k2", (1, 2), delete()).await, applied(1, "1.2"));
    for repo in [&source.remote, &source.clone] {
        assert!(!repo.try_git(&["rev-parse", "--verify", "refs/heads/gone"]).status.success());
    }
    let Reply::Conflict(Conflict::Drifted { found, .. }) = apply(&port, "k3", (1, 3), delete()).await else {
        panic!()
    };
    assert_eq!(found, "no refs/heads/gone");
}

#[tokio::test]
async fn an_unreachable_remote_is_busy_for_a_batch_and_unreadable_for_a_probe() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    let port = source.port();
    std::fs::rename(&source.remote.path, source.sandbox.path().join("away")).unwrap();
    let reply = apply(&port, "k1", (1, 1), vec![create(branch("a"), base)]).await;
    assert!(matches!(reply, Reply::Rejected(Rejection::Busy { .. })), "{reply:?}");
    assert!(matches!(port.seal(&shop(), Stamp::new(1, 1)).await, Seal::Unreachable { .. }));
    assert!(matches!(port.probe(&shop(), &key("k1")).await, Probe::Unreadable { .. }));
}

#[tokio::test]
async fn facts_are_those_of_the_remote() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    source.clone.git(&["tag", "v2.1.1", "HEAD"]);
    source.clone.git(&["branch", "hotfix/old", "HEAD"]);
    let other = source.another_clone("other");
    let theirs = other.commit("theirs", &[("b", "b\n")]);
    other.git(&["push", "--quiet", "origin", "HEAD:main"]);
    other.git(&["tag", "-a", "-m", "x", "v2.1.2"]);
    other.git(&["push", "--quiet", "origin", "v2.1.2"]);
    let refs = vec![branch("main"), branch("hotfix/old"), tag("v2.1.2"), branch("none")];
    let facts =
        observe(&source.port(), refs, &["main", "v2.1.2", "develop~0", "nothing", &theirs.to_string()]).await;
    let values: Vec<_> = facts.refs.iter().map(|(name, id)| (name.as_str(), id.clone())).collect();
    assert_eq!(
        values,
        [
            ("refs/heads/hotfix/old", None),
            ("refs/heads/main", Some(object(theirs))),
            ("refs/heads/none", None),
            ("refs/tags/v2.1.2", Some(object(theirs))),
        ]
    );
    assert_eq!(facts.revisions["main"], Some(object(theirs)));
    assert_eq!(facts.revisions["v2.1.2"], Some(object(theirs)));
    assert_eq!(facts.revisions[&theirs.to_string()], Some(object(theirs)));
    assert_eq!(facts.revisions["nothing"], None);
    // The clone's `main` is only behind; `hotfix/old` exists nowhere else.
    assert_eq!(facts.diverged.into_iter().collect::<Vec<_>>(), [(branch("hotfix/old"), Some(object(base)))]);
    let tags: Vec<_> = facts.tags.iter().map(|(name, tag)| (name.as_str(), tag.commit.clone())).collect();
    assert_eq!(tags, [("v2.1.0", object(base)), ("v2.1.1", object(base)), ("v2.1.2", object(theirs))]);
    assert_eq!(source.clone.git(&["tag", "--list"]), "v2.1.0\nv2.1.1");
}

#[tokio::test]
async fn a_push_that_was_not_followed_here_is_followed_by_the_next_probe() {
    let source = Source::new();
    let base = source.clone.id("origin/main");
    let fix = source.clone.commit("fix", &[("a", "a\n")]);
    assert_eq!(
        apply(&source.port(), "k1", (1, 1), vec![update(branch("main"), base, fix)]).await,
        applied(1, "1.1")
    );
    // As if the process had been killed between the push and the move here.
    let fence = source.remote.id("refs/hotfix/fence/shop").to_string();
    source.clone.git(&["update-ref", &format!("refs/hotfix/pending/shop/{fence}"), &fence]);
    source.clone.git(&["update-ref", "refs/heads/main", &base.to_string()]);
    let found = source.port().probe(&shop(), &key("k1")).await;
    assert_eq!(found, Probe::Applied(Receipt("1 reference(s) at 1.1".to_owned())));
    assert_eq!(source.clone.id("refs/heads/main"), fix);
}

#[tokio::test]
async fn a_remote_without_a_name_or_with_two_places_is_refused_when_it_is_opened() {
    let source = Source::new();
    source.clone.git(&["remote", "set-url", "--push", "origin", "https://elsewhere.test/x.git"]);
    let split = try_port(&source.clone, Some("origin")).map(|_| ());
    assert!(matches!(split, Err(Error::SplitRemote { .. })), "{split:?}");
    let missing = try_port(&source.clone, Some("upstream")).map(|_| ());
    assert!(matches!(missing, Err(Error::NoRemote { .. })), "{missing:?}");
}
