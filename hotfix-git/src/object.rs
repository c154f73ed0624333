//! Making commits and annotated tags: everything that goes into their id is given by the caller.

use git2::{ObjectType, Oid, Signature, Time};

use crate::error::Error;
use crate::repo::Repo;

/// Who made a commit or tag, and when. The same value gives the same object id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name, not empty.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// Seconds since 1970.
    pub seconds: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i32,
}

impl Person {
    pub(crate) fn signature(&self) -> Result<Signature<'static>, Error> {
        let when = Time::new(self.seconds, self.offset_minutes);
        Signature::new(&self.name, &self.email, &when)
            .map_err(Error::library("use a person's name and address"))
    }
}

/// The parts of a commit.
pub(crate) struct Draft<'a> {
    pub(crate) tree: Oid,
    pub(crate) parents: &'a [Oid],
    pub(crate) author: &'a Signature<'a>,
    pub(crate) committer: &'a Signature<'a>,
    pub(crate) message: &'a str,
}

impl Repo {
    pub(crate) fn make_commit(&self, draft: &Draft<'_>) -> Result<Oid, Error> {
        let failed = "make a commit";
        let git = self.git();
        let tree = git.find_tree(draft.tree).map_err(Error::library(failed))?;
        let parents: Vec<_> = draft
            .parents
            .iter()
            .map(|id| git.find_commit(*id))
            .collect::<Result<_, _>>()
            .map_err(Error::library(failed))?;
        let parents: Vec<_> = parents.iter().collect();
        let bytes = git
            .commit_create_buffer(draft.author, draft.committer, draft.message, &tree, &parents)
            .map_err(Error::library(failed))?;
        self.write(ObjectType::Commit, &bytes)
    }

    /// Makes an annotated tag object for `commit` and returns its id. The reference `refs/tags/<name>` is not made.
    ///
    /// # Errors
    /// [`Error::BadRefName`] for a name that can be no tag and [`Error::NotFound`] for an unknown commit.
    pub fn make_tag(&self, name: &str, commit: Oid, tagger: &Person, message: &str) -> Result<Oid, Error> {
        if !git2::Tag::is_valid_name(name) {
            return Err(Error::BadRefName { name: name.to_owned() });
        }
        let target = self
            .git()
            .find_object(commit, Some(ObjectType::Commit))
            .map_err(Error::lookup("find a commit", commit))?;
        let tagger = tagger.signature()?;
        let id = self
            .git()
            .tag_annotation_create(name, &target, &tagger, &with_newline(message))
            .map_err(Error::library("make a tag object"))?;
        Ok(self.drafted(id))
    }

    /// Makes the empty tree, which every repository may lack until something needs it.
    pub(crate) fn empty_tree(&self) -> Result<Oid, Error> {
        self.write(ObjectType::Tree, b"")
    }
}

/// Ends a message with a newline, as git does for messages given on its command line.
pub(crate) fn with_newline(message: &str) -> String {
    format!("{}\n", message.trim_end_matches('\n'))
}
