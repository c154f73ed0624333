//! Where the line about the picked commit goes, against git's own placement.

use hotfix_git::{Mainline, Oid, Pick};
use proptest::prelude::*;

use crate::fixture::{Sandbox, TestRepo, committer};

/// Commits `message` verbatim on top of the first commit, and picks it onto another with git and with us.
fn both_messages(repo: &TestRepo, message: &str) -> (String, String) {
    repo.git(&["checkout", "--quiet", "--detach", "main"]);
    repo.write("a", "changed\n");
    std::fs::write(repo.path.join(".git/message"), message).unwrap();
    repo.git(&[
        "commit",
        "--quiet",
        "--all",
        "--allow-empty-message",
        "--cleanup=verbatim",
        "-F",
        ".git/message",
    ]);
    let fix = repo.id("HEAD");
    repo.git(&["checkout", "--quiet", "--detach", "release"]);
    repo.git(&["cherry-pick", "-x", "--allow-empty-message", &fix.to_string()]);
    let expected = raw_message(repo, repo.id("HEAD"));
    let ours = repo.open();
    let read = ours.read_fix(fix, Mainline::Only).unwrap();
    let Pick::Commit { id, .. } = ours.pick(&read, repo.id("release"), &committer()).unwrap() else {
        panic!("no commit")
    };
    ours.keep().unwrap();
    (raw_message(repo, id), expected)
}

fn raw_message(repo: &TestRepo, commit: Oid) -> String {
    let raw = String::from_utf8(repo.try_git(&["cat-file", "commit", &commit.to_string()]).stdout).unwrap();
    raw.split_once("\n\n").unwrap().1.to_owned()
}

fn two_branches() -> (Sandbox, TestRepo) {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("repo");
    repo.commit("base", &[("a", "a\n")]);
    repo.git(&["branch", "release"]);
    repo.git(&["checkout", "--quiet", "release"]);
    repo.commit("release", &[("b", "b\n")]);
    (sandbox, repo)
}

#[test]
fn known_shapes_of_messages_are_placed_as_git_does() {
    let (_sandbox, repo) = two_branches();
    for message in [
        "fix\n",
        "fix",
        "fix: title only\n",
        "fix\n\nbody\n",
        "fix\n\nbody\n\nReviewed-by: A <a@x>\nTicket: 7\n",
        "fix\n\nReviewed-by: A <a@x>\nand prose\n",
        "fix\n\nprose\nSigned-off-by: A <a@x>\n",
        "fix\n\np\np\np\np\np\nSigned-off-by: A <a@x>\n",
        "fix\n\nTicket: 7\n  continued\n",
        "fix\n\n  indented\nTicket: 7\n",
        "fix\n\n(cherry picked from commit 0123456789012345678901234567890123456789)\n",
        "fix\n\nTicket : 7\n",
        "fix\n\nTicket: 7\n\n\n",
        "fix\n\n# comment\nTicket: 7\n",
        "fix\n\nTicket: 7\n# comment\n",
        "fix\n\nhttp://example.test/x\n",
        "\n\nfix\n",
    ] {
        let (ours, git) = both_messages(&repo, message);
        assert_eq!(ours, git, "{message:?}");
    }
}

fn line() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "",
        "prose here",
        "Ticket: 7",
        "Signed-off-by: A <a@x>",
        "  indented",
        "\ttab",
        "# comment",
        "x : y",
        ":",
        "-a: b",
        "no colon",
        "(cherry picked from commit 0123456789012345678901234567890123456789)",
        "a b: c",
        "---",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_messages_are_placed_as_git_does(title in "[a-z]{1,8}", lines in prop::collection::vec(line(), 0..9)) {
        thread_local! { static REPO: (Sandbox, TestRepo) = two_branches(); }
        let message = format!("{title}\n{}\n", lines.join("\n"));
        let (ours, git) = REPO.with(|(_, repo)| both_messages(repo, &message));
        prop_assert_eq!(ours, git);
    }
}
