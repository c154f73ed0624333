//! The repository that the cases work on.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotfix_core::model::{
    BranchName, ObjectId, RefBatch, RefName, RefUpdate, ServiceName, TagName, Timestamp,
};
use hotfix_core::port::{
    Call, Composed, FetchMode, Identity, Instruction, Point, Recipe, Reply, SourceFacts, SourceQuery,
    VersionControl,
};

use super::super::expect::{broken, succeeds};
use super::super::report::Unmet;

/// A history as a script: commits by name, parents before children.
#[derive(Debug, Clone, Copy)]
pub struct History {
    /// The commits.
    pub commits: &'static [CommitScript],
    /// Branches by name, with the name of the commit.
    pub branches: &'static [(&'static str, &'static str)],
    /// Annotated tags by name, with the name of the commit.
    pub tags: &'static [(&'static str, &'static str)],
}

/// One commit of a script.
#[derive(Debug, Clone, Copy)]
pub struct CommitScript {
    /// Its name in the script.
    pub name: &'static str,
    /// The names of its parents.
    pub parents: &'static [&'static str],
    /// What it changes in the tree of its first parent: path and new content; `None` deletes the file.
    pub changes: &'static [(&'static str, Option<&'static str>)],
    /// Its message, unique in the script.
    pub message: &'static str,
}

const fn commit(
    name: &'static str,
    parents: &'static [&'static str],
    changes: &'static [(&'static str, Option<&'static str>)],
    message: &'static str,
) -> CommitScript {
    CommitScript { name, parents, changes, message }
}

/// The history of every case: `base` is released as v2.1.0 and is what `main` holds; `develop` went on from there and
/// contains two fixes.
pub const HISTORY: History = History {
    commits: &[
        commit(
            "base",
            &[],
            &[
                ("README.md", Some("shop\n")),
                ("src/auth.txt", Some("one\ntwo\nthree\n")),
                ("src/pay.txt", Some("one\n")),
            ],
            "begin",
        ),
        commit("feature", &["base"], &[("src/new.txt", Some("feature\n"))], "add a feature"),
        commit("fix", &["feature"], &[("src/auth.txt", Some("one\nTWO\nthree\nfour\n"))], "fix the login"),
        commit("second", &["fix"], &[("src/pay.txt", Some("two\n"))], "fix the payment"),
        commit("clash", &["base"], &[("src/auth.txt", Some("one\n2\nthree\n"))], "rewrite the login"),
        commit("removal", &["base"], &[("src/auth.txt", None)], "remove the login"),
        commit("rival", &["base"], &[("src/new.txt", Some("rival\n"))], "add another feature"),
        commit("merged", &["second", "removal"], &[("src/auth.txt", None)], "merge the removal"),
    ],
    branches: &[
        ("main", "base"),
        ("develop", "second"),
        ("side", "merged"),
        ("clash", "clash"),
        ("rival", "rival"),
    ],
    tags: &[("v2.1.0", "base"), ("v2.2.0", "feature")],
};

/// A repository with [`HISTORY`], ready for one case.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The backend.
    pub control: Arc<dyn VersionControl>,
    /// The commits of the script by their names there.
    pub commits: BTreeMap<&'static str, ObjectId>,
}

pub(super) fn branch(name: &str) -> RefName {
    RefName::branch(&BranchName::new(name).expect("branch names of cases are valid"))
}

pub(super) fn tag_name(name: &str) -> TagName {
    TagName::new(name).expect("tag names of cases are valid")
}

pub(super) fn tag(name: &str) -> RefName {
    RefName::tag(&tag_name(name))
}

pub(super) fn service(name: &str) -> ServiceName {
    ServiceName::new(name).expect("service names of cases are valid")
}

/// The id of an object that no history has.
pub(super) fn missing_id() -> ObjectId {
    ObjectId::new("0123456789".repeat(4)).expect("forty digits")
}

pub(super) const SHOP: &str = "shop";

impl Repository {
    /// Returns the id of a commit of the script.
    pub(super) fn id(&self, name: &str) -> Result<ObjectId, Unmet> {
        let id = self.commits.get(name).cloned();
        id.ok_or_else(|| broken(format!("the fixture made no commit {name}")))
    }

    pub(super) fn at(&self, name: &str) -> Result<Point, Unmet> {
        Ok(Point::Commit(self.id(name)?))
    }

    pub(super) fn pick(&self, onto: Point, commits: &[&str]) -> Result<Instruction, Unmet> {
        let commits = commits.iter().map(|name| self.id(name)).collect::<Result<_, _>>()?;
        Ok(Instruction::Pick { onto, commits })
    }

    pub(super) fn merge(&self, into: &str, from: &str) -> Result<Instruction, Unmet> {
        let (into, from) = (self.at(into)?, self.at(from)?);
        let message = "merge".to_owned();
        Ok(Instruction::Merge { into, from, message })
    }

    pub(super) async fn compose(&self, instructions: Vec<Instruction>) -> Result<Vec<Composed>, Unmet> {
        let count = instructions.len();
        let made = succeeds("compose", self.control.compose(&recipe(instructions)).await)?;
        if made.len() == count {
            return Ok(made);
        }
        Err(broken(format!("{count} instruction(s) gave {} answer(s)", made.len())))
    }

    pub(super) async fn observe(&self, refs: &[RefName], revisions: &[&str]) -> Result<SourceFacts, Unmet> {
        let query = SourceQuery {
            service: service(SHOP),
            refs: refs.to_vec(),
            revisions: revisions.iter().map(|text| (*text).to_owned()).collect(),
            fetch: FetchMode::Remote,
        };
        succeeds("observe", self.control.observe(&query).await)
    }

    /// Returns what a reference holds, peeled.
    pub(super) async fn value(&self, name: &RefName) -> Result<Option<ObjectId>, Unmet> {
        let facts = self.observe(std::slice::from_ref(name), &[]).await?;
        Ok(facts.refs.get(name).cloned().flatten())
    }

    pub(super) async fn apply(&self, call: &Call, updates: Vec<RefUpdate>) -> Reply {
        self.control.apply(call, &service(SHOP), &RefBatch { updates }).await
    }
}

/// A recipe at a fixed time by a fixed person.
pub(super) fn recipe(instructions: Vec<Instruction>) -> Recipe {
    const SOME_DAY: i64 = 1_760_000_000;
    Recipe {
        identity: Identity { name: "Hotfix".to_owned(), email: "hotfix@example.com".to_owned() },
        at: Timestamp::from_timestamp(SOME_DAY, 0).expect("a constant within range"),
        instructions,
    }
}
