//! Carrying out a recipe: picks, merges, tags and measures, each of which may build on an earlier one.

use git2::Oid;
use hotfix_core::model::ObjectId;
use hotfix_core::port::{Composed, ConflictKind, ConflictPath, DiffSize, Instruction, Point, Recipe};

use crate::convert::{changed_path, conflict_path, object_id, oid};
use crate::error::Error;
use crate::file::Replaced;
use crate::join::Join;
use crate::merge::PathConflict;
use crate::object::Person;
use crate::path::TreePath;
use crate::pick::{Fix, Mainline, Pick};
use crate::repo::Repo;

/// Carries out the recipe and writes the objects it made, all together.
pub(crate) fn compose(repo: &Repo, recipe: &Recipe) -> Result<Vec<Composed>, Error> {
    let who = Person {
        name: recipe.identity.name.clone(),
        email: recipe.identity.email.clone(),
        seconds: recipe.at.timestamp(),
        offset_minutes: 0,
    };
    let mut cook = Cook { repo, who, stands: Vec::new() };
    let mut answers = Vec::new();
    for instruction in &recipe.instructions {
        let (answer, stand) = cook.follow(instruction)?;
        cook.stands.push(stand);
        answers.push(answer);
    }
    repo.keep()?;
    Ok(answers)
}

struct Cook<'r> {
    repo: &'r Repo,
    who: Person,
    /// What each instruction so far stands for when another builds on it.
    stands: Vec<Stand>,
}

#[derive(Clone, Copy)]
enum Stand {
    Commit(Oid),
    /// It could not be done.
    Nothing,
    /// It is no commit at all.
    Measure,
}

type Dish = (Composed, Stand);

const SKIPPED: Dish = (Composed::Skipped, Stand::Nothing);

impl Cook<'_> {
    fn follow(&self, instruction: &Instruction) -> Result<Dish, Error> {
        match instruction {
            Instruction::Pick { onto, commits } => {
                let fixes = commits.iter().map(|id| self.repo.read_fix(self.commit(id)?, Mainline::Only));
                let fixes = fixes.collect::<Result<Vec<_>, _>>()?;
                self.find(onto)?.map_or(Ok(SKIPPED), |onto| self.pick(onto, &fixes))
            }
            Instruction::Merge { into, from, message } => {
                let sides = self.find(into)?.zip(self.find(from)?);
                sides.map_or(Ok(SKIPPED), |(into, from)| self.merge(into, from, message))
            }
            Instruction::Write { onto, path, contents, message } => {
                let Some(onto) = self.find(onto)? else {
                    return Ok(SKIPPED);
                };
                self.write(onto, path, contents, message)
            }
            Instruction::Tag { name, on, message } => {
                let Some(commit) = self.find(on)? else {
                    return Ok(SKIPPED);
                };
                let id = self.repo.make_tag(name.as_str(), commit, &self.who, message)?;
                Ok((Composed::Tag { id: object_id(id) }, Stand::Commit(commit)))
            }
            Instruction::Diff { from, to } => {
                let Some((from, to)) = self.find(from)?.zip(self.find(to)?) else {
                    return Ok((Composed::Skipped, Stand::Measure));
                };
                let paths = self.repo.change_size(from, to)?.iter().map(changed_path).collect();
                Ok((Composed::Diff(DiffSize { paths }), Stand::Measure))
            }
        }
    }

    /// Returns the commit of a point; `None` when the instruction it names could not be done.
    fn find(&self, point: &Point) -> Result<Option<Oid>, Error> {
        let instruction = match point {
            Point::Commit(id) => return self.commit(id).map(Some),
            Point::Made(instruction) => *instruction,
        };
        match self.stands.get(instruction) {
            Some(Stand::Commit(id)) => Ok(Some(*id)),
            Some(Stand::Nothing) => Ok(None),
            Some(Stand::Measure) => {
                Err(Error::BadRecipe { instruction, reason: "a measure makes no commit to build on" })
            }
            None => Err(Error::BadRecipe {
                instruction,
                reason: "an instruction can only build on an earlier one",
            }),
        }
    }

    fn commit(&self, id: &ObjectId) -> Result<Oid, Error> {
        let commit = oid(id).ok_or_else(|| Error::NotFound { name: id.to_string() })?;
        self.repo.tree_of(commit).map(|_| commit)
    }

    fn pick(&self, onto: Oid, fixes: &[Fix]) -> Result<Dish, Error> {
        let mut at = onto;
        for fix in fixes {
            match self.repo.pick(fix, at, &self.who)? {
                Pick::Commit { id, .. } => at = id,
                Pick::AlreadyApplied | Pick::NothingToDo => {}
                Pick::Conflict(paths) => return Ok(conflict(&paths)),
            }
        }
        self.result(onto, at)
    }

    fn merge(&self, into: Oid, from: Oid, message: &str) -> Result<Dish, Error> {
        match self.repo.merge(into, from, message, &self.who)? {
            Join::Commit { id, .. } => self.result(into, id),
            Join::AlreadyMerged => self.result(into, into),
            Join::Conflict(paths) => Ok(conflict(&paths)),
        }
    }

    fn write(&self, onto: Oid, path: &str, contents: &str, message: &str) -> Result<Dish, Error> {
        let refused = |kind| {
            let path = ConflictPath { path: path.to_owned(), kind, blobs: [None, None, None] };
            Ok((Composed::Conflict { paths: vec![path] }, Stand::Nothing))
        };
        match self.repo.replace_file(onto, &TreePath::from(path), contents, message, &self.who)? {
            Replaced::Commit(id) => self.result(onto, id),
            Replaced::Unchanged => self.result(onto, onto),
            Replaced::Missing => refused(ConflictKind::ModifyDelete),
            Replaced::Other => refused(ConflictKind::Type),
        }
    }

    fn result(&self, before: Oid, after: Oid) -> Result<Dish, Error> {
        let (id, tree) = (object_id(after), object_id(self.repo.tree_of(after)?));
        let answer =
            if before == after { Composed::Unchanged { id, tree } } else { Composed::Commit { id, tree } };
        Ok((answer, Stand::Commit(after)))
    }
}

fn conflict(paths: &[PathConflict]) -> Dish {
    (Composed::Conflict { paths: paths.iter().map(conflict_path).collect() }, Stand::Nothing)
}
