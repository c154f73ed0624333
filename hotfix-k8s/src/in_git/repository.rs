//! The file in git: reading it at the head of its branch, and putting another image there.

use std::sync::Arc;

use hotfix_core::model::{IdempotencyKey, ObjectId, RefBatch, RefName, RefUpdate, Stamp, Target};
use hotfix_core::port::{
    Call, Composed, Conflict, FetchMode, Instruction, Point, Recipe, Reply, SourceQuery, VersionControl,
};
use tokio::time::{Instant, timeout_at};

use super::place::{Container, Found, Problem, Unwritable};
use super::written::Written;
use crate::config::InGit;
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::progress::{Progress, half_done};
use crate::reply;
use crate::writing::permanent;

/// How often the file is read and written again because somebody else moved the branch in between.
const TRIES: usize = 8;

/// The file at the head of its branch.
#[derive(Debug)]
pub(crate) struct Committed {
    head: ObjectId,
    text: String,
    found: Found,
    pub(crate) written: Written,
    /// The highest stamp that the repository accepted of the target.
    pub(crate) stamp: Stamp,
}

/// What is to be committed.
pub(crate) struct Change<'a> {
    pub(crate) wanted: &'a Written,
    /// What the file may have instead. Anything else was written by somebody, whose it is.
    pub(crate) instead_of: &'a [Written],
    pub(crate) message: &'a str,
}

impl KubernetesDeployer {
    /// Gives the deployer a repository, under the name by which targets refer to it.
    #[must_use]
    pub fn with_repository(mut self, name: impl Into<String>, repository: Arc<dyn VersionControl>) -> Self {
        self.repositories.insert(name.into(), repository);
        self
    }

    /// Returns where the image of a target is written and the repository; `None` where it is not written in git.
    pub(crate) fn repository(
        &self,
        target: &Target,
    ) -> Result<Option<(&InGit, &dyn VersionControl)>, Unusable> {
        let Some(config) = self.target(target)?.on_gitops.in_git() else { return Ok(None) };
        match self.repositories.get(&config.repository) {
            Some(repository) => Ok(Some((config, repository.as_ref()))),
            None => Err(Unusable::NoRepository { target: target.clone(), name: config.repository.clone() }),
        }
    }

    /// Reads the file at the head of its branch, from the remote where there is one.
    pub(crate) async fn committed(
        &self,
        (config, repository): (&InGit, &dyn VersionControl),
        container: Container<'_>,
        deadline: Instant,
    ) -> Result<Committed, Unusable> {
        let branch = RefName::branch(&config.branch);
        let query = SourceQuery {
            service: config.service.clone(),
            refs: vec![branch.clone()],
            revisions: Vec::new(),
            fetch: FetchMode::Remote,
        };
        let reading = async {
            let facts = repository.observe(&query).await?;
            let Some(head) = facts.refs.get(&branch).cloned().flatten() else { return Ok(None) };
            let text = repository.read_file(&head, &config.file).await?;
            Ok(Some((head, text, facts.stamp)))
        };
        let unread = |error: hotfix_core::Error| Unusable::Repository {
            name: config.repository.clone(),
            kind: error.kind(),
            reason: error.to_string(),
        };
        let read = timeout_at(deadline, reading).await;
        let read = read.map_err(|_| unread(late()))?.map_err(unread)?;
        let missing =
            |place: String| Unwritable { file: config.file.clone(), place, problem: Problem::Missing };
        let (head, text, stamp) = read.ok_or_else(|| missing(format!("the branch {}", config.branch)))?;
        let text = text.ok_or_else(|| missing(format!("it is empty on {}: the file", config.branch)))?;
        let found = Found::in_file(config, container, &text)?;
        let written = found.written();
        Ok(Committed { head, text, found, written, stamp })
    }

    /// Has the file name an image, in a commit on top of whatever the branch is. Answers whether it had to be written.
    pub(crate) async fn commit(
        &self,
        place: (&InGit, &dyn VersionControl),
        container: Container<'_>,
        call: &Call,
        change: &Change<'_>,
        deadline: Instant,
    ) -> Result<Pushed, Reply> {
        let (config, repository) = place;
        let mut pushed = Pushed::Nothing;
        for _ in 0..TRIES {
            let committed = self
                .committed(place, container, deadline)
                .await
                .map_err(|unusable| pushed.half_done(Reply::Rejected(unusable.rejection())))?;
            if committed.written == *change.wanted {
                return Ok(pushed);
            }
            if !change.instead_of.contains(&committed.written) {
                let expected = change.instead_of.iter().chain([change.wanted]).map(ToString::to_string);
                let conflict = Conflict::Drifted {
                    expected: format!("{} with {}", config.file, expected.collect::<Vec<_>>().join(" or ")),
                    found: format!("{} with {}", config.file, committed.written),
                };
                return Err(pushed.half_done(Reply::Conflict(conflict)));
            }
            let made =
                self.compose(place, &committed, change).await.map_err(|reply| pushed.half_done(reply))?;
            let update = RefUpdate::update(RefName::branch(&config.branch), committed.head, made);
            let batch = RefBatch { updates: vec![update] };
            match repository.apply(call, &config.service, &batch).await {
                // Read once more: a key that was applied before is not applied again, and somebody may have gone on.
                Reply::Applied(_) => pushed = Pushed::Commit,
                Reply::Conflict(Conflict::Drifted { .. }) => {
                    tracing::debug!(branch = %config.branch, "somebody else wrote the branch in between");
                }
                reply => return Err(pushed.half_done(reply)),
            }
        }
        let reason = format!("the branch {} is written by others all the time", config.branch);
        Err(pushed.half_done(Reply::Rejected(reply::busy(reason, None))))
    }

    async fn compose(
        &self,
        (config, repository): (&InGit, &dyn VersionControl),
        committed: &Committed,
        change: &Change<'_>,
    ) -> Result<ObjectId, Reply> {
        let write = Instruction::Write {
            onto: Point::Commit(committed.head.clone()),
            path: config.file.clone(),
            contents: committed.found.replaced(&committed.text, change.wanted),
            message: change.message.to_owned(),
        };
        let recipe =
            Recipe { identity: config.identity.clone(), at: self.clock.now(), instructions: vec![write] };
        let made = repository.compose(&recipe).await;
        match made.as_deref() {
            Ok([Composed::Commit { id, .. }]) => Ok(id.clone()),
            Ok(other) => Err(permanent(format!("{} cannot be written: {other:?}", config.file))),
            Err(error) => Err(Reply::Rejected(reply::busy(error.to_string(), None))),
        }
    }
}

/// Whether something was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    Nothing,
    Commit,
}

impl Pushed {
    fn half_done(self, reply: Reply) -> Reply {
        let progress = match self {
            Self::Nothing => Progress::Claimed,
            Self::Commit => Progress::Begun,
        };
        half_done(reply, progress)
    }
}

/// The key under which a revert is pushed. It is not the one of its verb: that is applied when its owner has followed.
pub(crate) fn revert_key(key: &IdempotencyKey) -> Result<IdempotencyKey, Reply> {
    IdempotencyKey::new(format!("{key}.git")).map_err(|error| permanent(error.to_string()))
}

fn late() -> hotfix_core::Error {
    hotfix_core::Error::new(hotfix_core::ErrorKind::Timeout, "version_control.observe", "no answer in time")
}
