//! A small object database: whole files, trees as maps, commits and tags, each named by its content.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sha2::{Digest, Sha256};

use crate::model::{ObjectId, TagName, Timestamp};
use crate::port::Identity;

/// Path to content.
pub(super) type Tree = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    pub(super) author: Signature,
    pub(super) committer: Signature,
    pub(super) message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) who: Identity,
    pub(super) at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) name: TagName,
    pub(super) commit: ObjectId,
    pub(super) tagger: Signature,
    pub(super) message: String,
}

/// Everything ever written. Objects are only added, and writing one twice is writing it once.
#[derive(Debug, Default)]
pub(super) struct Objects {
    trees: BTreeMap<ObjectId, Tree>,
    commits: BTreeMap<ObjectId, Commit>,
    tags: BTreeMap<ObjectId, Tag>,
}

impl Objects {
    pub(super) fn write_tree(&mut self, tree: Tree) -> ObjectId {
        let id = tree_id(&tree);
        self.trees.insert(id.clone(), tree);
        id
    }

    pub(super) fn write_commit(&mut self, commit: Commit) -> ObjectId {
        let id = commit.id();
        self.commits.insert(id.clone(), commit);
        id
    }

    pub(super) fn write_tag(&mut self, tag: Tag) -> ObjectId {
        let id = tag.id();
        self.tags.insert(id.clone(), tag);
        id
    }

    pub(super) fn commit(&self, id: &ObjectId) -> Option<&Commit> {
        self.commits.get(id)
    }

    /// Returns the commit that an id names, through a tag if it is one.
    pub(super) fn peel(&self, id: &ObjectId) -> Option<ObjectId> {
        let commit = self.tags.get(id).map_or(id, |tag| &tag.commit);
        self.commits.contains_key(commit).then(|| commit.clone())
    }

    pub(super) fn is_tag(&self, id: &ObjectId) -> bool {
        self.tags.contains_key(id)
    }

    /// Returns the files of a commit; nothing for one that does not exist.
    pub(super) fn files(&self, commit: &ObjectId) -> Tree {
        let tree = self.commits.get(commit).and_then(|commit| self.trees.get(&commit.tree));
        tree.cloned().unwrap_or_default()
    }

    /// Returns the one commit whose id begins with the digits.
    pub(super) fn abbreviated(&self, digits: &str) -> Option<ObjectId> {
        const SHORTEST: usize = 4;
        let mut found = self.commits.keys().filter(|id| id.as_str().starts_with(digits));
        let (first, second) = (found.next(), found.next());
        first.filter(|_| second.is_none() && digits.len() >= SHORTEST).cloned()
    }

    /// Returns a commit with everything that it contains, nearest first.
    pub(super) fn history(&self, from: &ObjectId) -> Vec<ObjectId> {
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        let mut queue = VecDeque::from([from.clone()]);
        while let Some(id) = queue.pop_front() {
            if seen.insert(id.clone()) {
                queue.extend(self.commits.get(&id).into_iter().flat_map(|commit| commit.parents.clone()));
                order.push(id);
            }
        }
        order
    }

    /// Returns a best common ancestor: one that no other common ancestor contains. Of several, the nearest.
    pub(super) fn merge_base(&self, ours: &ObjectId, theirs: &ObjectId) -> Option<ObjectId> {
        let theirs: BTreeSet<_> = self.history(theirs).into_iter().collect();
        let common: Vec<_> = self.history(ours).into_iter().filter(|id| theirs.contains(id)).collect();
        let contained: BTreeSet<_> =
            common.iter().flat_map(|id| self.history(id).into_iter().skip(1)).collect();
        common.into_iter().find(|id| !contained.contains(id))
    }
}

impl Commit {
    fn id(&self) -> ObjectId {
        let mut fields = vec!["commit", self.tree.as_str()];
        fields.extend(self.parents.iter().map(ObjectId::as_str));
        let (author, committer) = (self.author.line(), self.committer.line());
        fields.extend([author.as_str(), committer.as_str(), &self.message]);
        name(&fields)
    }
}

impl Tag {
    fn id(&self) -> ObjectId {
        let tagger = self.tagger.line();
        name(&["tag", self.name.as_str(), self.commit.as_str(), &tagger, &self.message])
    }
}

impl Signature {
    fn line(&self) -> String {
        format!("{} <{}> {}", self.who.name, self.who.email, self.at.timestamp())
    }
}

/// What is at a path.
pub(super) enum Found<'a> {
    File(&'a str),
    Nothing,
    /// A folder, or a file where one of the path's folders should be.
    Other,
}

pub(super) fn find<'a>(tree: &'a Tree, path: &str) -> Found<'a> {
    let lies_in =
        |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    match tree.get(path) {
        Some(text) => Found::File(text),
        None if tree.keys().any(|other| lies_in(other, path) || lies_in(path, other)) => Found::Other,
        None => Found::Nothing,
    }
}

pub(super) fn blob_id(content: &str) -> ObjectId {
    name(&["blob", content])
}

fn tree_id(tree: &Tree) -> ObjectId {
    let entries = tree.iter().flat_map(|(path, content)| [path.as_str(), content.as_str()]);
    let fields: Vec<&str> = std::iter::once("tree").chain(entries).collect();
    name(&fields)
}

/// Names an object by the SHA-256 of its fields, cut to the length of a git id.
fn name(fields: &[&str]) -> ObjectId {
    const BYTES: usize = 20;
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    let digits =
        hash.finalize().iter().take(BYTES).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    ObjectId::new(digits).expect("twenty bytes are forty hex digits")
}
