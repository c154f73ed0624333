//! Recipes: picks, merges, tags and measures, none of which moves a reference.

use super::diff::diff;
use super::merge::merge;
use super::objects::{Commit, Found, Objects, Signature, Tag, Tree, find};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectId;
use crate::port::{Composed, ConflictKind, ConflictPath, Instruction, Point, Recipe};

const OPERATION: &str = "version_control.compose";

/// Carries out a recipe.
pub(super) fn compose(objects: &mut Objects, recipe: &Recipe) -> Result<Vec<Composed>> {
    let signature = Signature { who: recipe.identity.clone(), at: recipe.at };
    let mut kitchen = Kitchen { objects, signature, made: Vec::new() };
    let mut answers = Vec::new();
    for instruction in &recipe.instructions {
        let (answer, commit) = kitchen.follow(instruction)?;
        kitchen.made.push(commit);
        answers.push(answer);
    }
    Ok(answers)
}

struct Kitchen<'a> {
    objects: &'a mut Objects,
    signature: Signature,
    /// The commit that each instruction so far stands for.
    made: Vec<Made>,
}

#[derive(Clone)]
enum Made {
    Commit(ObjectId),
    /// It could not be done.
    Nothing,
    /// It is no commit at all.
    Measure,
}

type Step = (Composed, Made);

const SKIPPED: Step = (Composed::Skipped, Made::Nothing);

impl Kitchen<'_> {
    fn follow(&mut self, instruction: &Instruction) -> Result<Step> {
        match instruction {
            Instruction::Pick { onto, commits } => {
                commits.iter().try_for_each(|id| self.check_pickable(id))?;
                let onto = self.commit_at(onto)?;
                Ok(onto.map_or(SKIPPED, |onto| self.pick(onto, commits)))
            }
            Instruction::Merge { into, from, message } => {
                let (into, from) = (self.commit_at(into)?, self.commit_at(from)?);
                let sides = into.zip(from);
                Ok(sides.map_or(SKIPPED, |(into, from)| self.merge(into, from, message)))
            }
            Instruction::Write { onto, path, contents, message } => {
                let onto = self.commit_at(onto)?;
                Ok(onto.map_or(SKIPPED, |onto| self.write_file(onto, path, contents, message)))
            }
            Instruction::Tag { name, on, message } => Ok(self.commit_at(on)?.map_or(SKIPPED, |commit| {
                let (name, message) = (name.clone(), message.clone());
                let tagger = self.signature.clone();
                let tag = Tag { name, commit: commit.clone(), tagger, message };
                let id = self.objects.write_tag(tag);
                (Composed::Tag { id }, Made::Commit(commit))
            })),
            Instruction::Diff { from, to } => {
                let sides = self.commit_at(from)?.zip(self.commit_at(to)?);
                Ok(sides.map_or((Composed::Skipped, Made::Measure), |(from, to)| {
                    let size = diff(&self.objects.files(&from), &self.objects.files(&to));
                    (Composed::Diff(size), Made::Measure)
                }))
            }
        }
    }

    /// Returns the commit of a point; `None` if the instruction it builds on could not be done.
    fn commit_at(&self, point: &Point) -> Result<Option<ObjectId>> {
        let invalid = |message: &str, index| {
            Err(Error::new(ErrorKind::Invalid, OPERATION, message).with("instruction", index))
        };
        match point {
            Point::Commit(id) => self.find(id).map(|_| Some(id.clone())),
            Point::Made(index) => match self.made.get(*index) {
                Some(Made::Commit(id)) => Ok(Some(id.clone())),
                Some(Made::Nothing) => Ok(None),
                Some(Made::Measure) => invalid("a measure makes no commit to build on", index),
                None => invalid("an instruction can only build on an earlier one", index),
            },
        }
    }

    fn find(&self, id: &ObjectId) -> Result<&Commit> {
        let found = self.objects.commit(id);
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, OPERATION, "no such commit").with("commit", id))
    }

    /// A commit to pick has one parent at the most: otherwise it is not one change.
    fn check_pickable(&self, id: &ObjectId) -> Result<()> {
        if self.find(id)?.parents.len() > 1 {
            let message = "a merge commit cannot be picked; pick the commits that it merged";
            return Err(Error::new(ErrorKind::Invalid, OPERATION, message).with("commit", id));
        }
        Ok(())
    }

    fn pick(&mut self, onto: ObjectId, commits: &[ObjectId]) -> Step {
        let mut head = onto.clone();
        let mut files = self.objects.files(&onto);
        for id in commits {
            let commit = self.known(id).clone();
            let before = commit.parents.first().map(|parent| self.objects.files(parent));
            let picked = match merge(&before.unwrap_or_default(), &files, &self.objects.files(id)) {
                Ok(picked) => picked,
                Err(paths) => return conflict(paths),
            };
            if picked != files {
                head = self.write(picked.clone(), vec![head], commit.author, commit.message);
                files = picked;
            }
        }
        if head == onto { self.unchanged(onto) } else { self.made(head) }
    }

    fn merge(&mut self, into: ObjectId, from: ObjectId, message: &str) -> Step {
        if self.objects.history(&into).contains(&from) {
            return self.unchanged(into);
        }
        let base = self.objects.merge_base(&into, &from);
        let base = base.map(|base| self.objects.files(&base)).unwrap_or_default();
        match merge(&base, &self.objects.files(&into), &self.objects.files(&from)) {
            Ok(merged) => {
                let author = self.signature.clone();
                let id = self.write(merged, vec![into, from], author, message.to_owned());
                self.made(id)
            }
            Err(paths) => conflict(paths),
        }
    }

    fn write_file(&mut self, onto: ObjectId, path: &str, contents: &str, message: &str) -> Step {
        let mut files = self.objects.files(&onto);
        let kind = match find(&files, path) {
            Found::File(before) if before == contents => return self.unchanged(onto),
            Found::File(_) => {
                files.insert(path.to_owned(), contents.to_owned());
                let id = self.write(files, vec![onto], self.signature.clone(), message.to_owned());
                return self.made(id);
            }
            Found::Nothing => ConflictKind::ModifyDelete,
            Found::Other => ConflictKind::Type,
        };
        conflict(vec![ConflictPath { path: path.to_owned(), kind, blobs: [None, None, None] }])
    }

    fn write(&mut self, files: Tree, parents: Vec<ObjectId>, author: Signature, message: String) -> ObjectId {
        let tree = self.objects.write_tree(files);
        self.objects.write_commit(Commit {
            tree,
            parents,
            author,
            committer: self.signature.clone(),
            message,
        })
    }

    fn made(&self, id: ObjectId) -> Step {
        let tree = self.known(&id).tree.clone();
        (Composed::Commit { id: id.clone(), tree }, Made::Commit(id))
    }

    fn unchanged(&self, id: ObjectId) -> Step {
        let tree = self.known(&id).tree.clone();
        (Composed::Unchanged { id: id.clone(), tree }, Made::Commit(id))
    }

    fn known(&self, id: &ObjectId) -> &Commit {
        self.objects.commit(id).expect("a commit that was looked up or written before")
    }
}

const fn conflict(paths: Vec<ConflictPath>) -> Step {
    (Composed::Conflict { paths }, Made::Nothing)
}
